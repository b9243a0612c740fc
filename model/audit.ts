// The audit log: who changed what. It names objects and versions; their contents are in the history of each.

import { ACCESS_ROLE_NAMES } from './role.ts'
import { text, type Described } from './schema.ts'
import { time } from './time.ts'

/** Describes an entry, as `GET /v1/audit` lists it. */
export const auditSchema = {
  type: 'object',
  description: 'One write that a client asked for',
  required: ['id', 'at', 'who', 'role', 'by', 'from', 'action', 'entity', 'outcome'],
  properties: {
    id: { type: 'integer', minimum: 1, description: 'Grows with each entry' },
    at: time,
    who: { ...text, description: "A token's name, a certificate's common name, `loopback` or `this-host`" },
    role: { enum: ACCESS_ROLE_NAMES, description: 'The access role' },
    by: {
      enum: ['token', 'certificate', 'place'],
      description: 'What showed who it is: `place` is where the request came from',
    },
    from: { ...text, description: 'The address that the request came from' },
    action: { ...text, description: 'A verb with its object: `group.put`, `key.approve`, `token.create`' },
    entity: { ...text, description: 'What was changed, with its kind: `group:spare`, `machine:ctl-1`' },
    before: { ...text, description: 'The version that was there; left out where there was none' },
    after: { ...text, description: 'The version that is there now; left out where there is none' },
    summary: { ...text, description: 'What an entity and two versions cannot say: `3 created, 1 deleted`' },
    outcome: {
      enum: ['done', 'refused', 'failed'],
      description: 'failed: by a fault of the server or its disk',
    },
    code: { ...text, description: 'Why it was not done: a code of docs/errors.md' },
  },
} as const

/** One write that a client asked for. */
export type AuditEntry = Described<typeof auditSchema>
