// All that a site declares.

import { groupSchema, type Group } from './group.ts'
import { machineSchema, type Machine } from './machine.ts'
import { networkSchema, type ProvisioningNetwork } from './network.ts'
import { profileSchema, type Profile } from './profile.ts'

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
