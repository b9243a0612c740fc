// The two things that are called a role. A machine role says what a machine is for, an access role what a client of the
// API may do. Both are in a field `role`: the first of a machine, the second of a token, a certificate or an audit entry.

import { text, type Described } from './schema.ts'

/** What a machine can be for. */
export const MACHINE_ROLES = ['controller', 'compute'] as const

/** What a machine is for: `controller` carries the control planes of Kubernetes and OpenStack, `compute` carries guests. */
export type MachineRole = (typeof MACHINE_ROLES)[number]

/** The names of the access roles, each of which may do more than the one before. */
export const ACCESS_ROLE_NAMES = ['read-only', 'objects', 'admin'] as const

/** Describes an access role, as `GET /v1/roles` lists it. */
export const accessRoleSchema = {
  type: 'object',
  description: 'What a client of the API may do',
  required: ['name', 'may', 'givenTo'],
  properties: {
    name: { enum: ACCESS_ROLE_NAMES },
    may: { ...text, description: 'What it allows beyond the role before it' },
    givenTo: {
      enum: ['credentials', 'place'],
      description:
        'credentials: a token or a client certificate has it; place: a client has it by where its request comes from',
    },
  },
} as const

/** What a client of the API may do. */
export type AccessRole = Described<typeof accessRoleSchema>
/** The name of an access role. */
export type AccessRoleName = AccessRole['name']
/** An access role that a token or a client certificate can have. */
export type CredentialRole = Exclude<AccessRoleName, 'objects'>

/** All access roles; each may do more than the one before. */
export const ACCESS_ROLES = [
  {
    name: 'read-only',
    may: 'reads lists, journals, events and metrics, and no secret',
    givenTo: 'credentials',
  },
  {
    name: 'objects',
    may: 'changes groups, profiles, templates, machines and assets',
    givenTo: 'place',
  },
  {
    name: 'admin',
    may: 'does everything: tokens, sites, bundles, keys of machines, alarms, and reads the audit log',
    givenTo: 'credentials',
  },
] as const satisfies readonly AccessRole[]
