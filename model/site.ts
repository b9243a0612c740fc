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
    chosen: {
      type: 'object',
      description: 'What the site file leaves out and Pilotlight chose; only for messages, and not kept',
      required: ['machines', 'pool', 'gateway'],
      properties: {
        machines: {
          type: 'array',
          items: { type: 'string' },
          description: 'Names of those whose address it chose',
        },
        pool: { type: 'boolean' },
        gateway: { type: 'boolean' },
      },
    },
  },
} as const

/** What a site file leaves out and Pilotlight chose: the names of machines whose address it did, and whether others of its addresses. */
export type SiteChoices = {
  readonly machines: readonly string[]
  readonly pool: boolean
  readonly gateway: boolean
}

/** All that one site file makes the server know, replaced as a whole by `PUT /v1/sites/{name}`. */
export type SiteObjects = {
  readonly network: ProvisioningNetwork
  readonly machines: readonly Machine[]
  readonly profiles: readonly Profile[]
  readonly groups: readonly Group[]
  readonly chosen?: SiteChoices
}
