// Leases: addresses that DHCP has given.

import { ipv4, text, type Described } from './schema.ts'
import { time } from './time.ts'

/** Describes a lease, as `GET /v1/leases` lists it. */
export const leaseSchema = {
  type: 'object',
  description: 'An address given to a hardware address until a time',
  required: ['address', 'mac', 'state', 'expiresAt'],
  properties: {
    address: { ...ipv4, description: 'There is one lease for each address' },
    mac: { type: 'string', format: 'mac', description: 'Lower case, colons' },
    state: {
      enum: ['offered', 'bound', 'declined'],
      description:
        'offered: kept while the client decides (or, in proxy mode, given by another server), in memory only. bound: acknowledged. declined: the client found another host using it, so no one gets it for a while.',
    },
    expiresAt: {
      ...time,
      description: 'A bound lease past this time still shows which address the client had',
    },
    uuid: {
      ...text,
      format: 'smbios-uuid',
      description:
        "The SMBIOS UUID that the machine's firmware sent, kept because its operating system does not send it",
    },
  },
} as const

/** An address given to a hardware address until a time. */
export type Lease = Described<typeof leaseSchema>
