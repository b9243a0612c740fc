// The provisioning network of a site, and all that a site declares.

import { groupSchema, type Group } from './group.ts'
import { machineSchema, type Machine } from './machine.ts'
import { profileSchema, type Profile } from './profile.ts'
import { ipv4, type Described } from './schema.ts'

const networkSchema = {
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
  },
} as const

/** The network that Pilotlight serves addresses and loaders on. Addresses are dotted IPv4. */
export type ProvisioningNetwork = Described<typeof networkSchema>

/** Describes what `PUT /v1/sites/{name}` takes. */
export const siteSchema = {
  type: 'object',
  description: 'All that one site file makes the server know, replaced as a whole',
  required: ['network', 'machines', 'profiles', 'groups'],
  properties: {
    network: networkSchema,
    machines: { type: 'array', items: machineSchema },
    profiles: { type: 'array', items: profileSchema },
    groups: { type: 'array', items: groupSchema },
  },
} as const

/** All that one site file makes the server know, replaced as a whole by `PUT /v1/sites/{name}`. */
export type SiteObjects = {
  readonly network: ProvisioningNetwork
  readonly machines: readonly Machine[]
  readonly profiles: readonly Profile[]
  readonly groups: readonly Group[]
}
