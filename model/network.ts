// The provisioning network of a site.

import { ipv4, type Described } from './schema.ts'

/** Time servers that a network may have: a machine asks one after the other. */
export const MOST_NTP = 4

/** Describes the `network` of a site. */
export const networkSchema = {
  type: 'object',
  description: 'The network that Pilotlight serves addresses and loaders on',
  required: ['subnet', 'gateway', 'dhcp', 'pool', 'dns'],
  properties: {
    subnet: { type: 'string', pattern: '^[0-9.]+/[0-9]+$', description: 'CIDR, for example `10.20.0.0/24`' },
    gateway: ipv4,
    dhcp: {
      enum: ['full', 'proxy', 'off'],
      description: 'full: we give addresses; proxy: only the loader; off: DHCP is silent.',
    },
    pool: {
      type: 'object',
      description: 'Inclusive bounds for machines without a reservation',
      required: ['first', 'last'],
      properties: { first: ipv4, last: ipv4 },
    },
    dns: { type: 'array', items: ipv4 },
    ntp: {
      type: 'array',
      items: ipv4,
      description: 'Time servers, option 42 of DHCP; where there are none, the machines ask those of Debian',
    },
  },
} as const

/** The network that Pilotlight serves addresses and loaders on. Addresses are dotted IPv4. */
export type ProvisioningNetwork = Described<typeof networkSchema>
