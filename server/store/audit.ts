// What the audit log is kept in.

import type { AuditEntry } from '#model/audit.ts'

/** An entry before the store numbers it. */
export type NewAuditEntry = Omit<AuditEntry, 'id'>

/** Who asks for a change, and for which. What became of it is added when it is known. */
export type Auditing = Pick<AuditEntry, 'who' | 'role' | 'by' | 'from' | 'action'>

/** What became of a change. */
export type Audited = Pick<AuditEntry, 'entity' | 'outcome'> &
  Partial<Pick<AuditEntry, 'before' | 'after' | 'summary' | 'code'>>

/** Which entries are wanted. */
export type AuditQuery = {
  readonly who?: string
  readonly entity?: string
  /** Milliseconds since 1970: entries of that time and later. */
  readonly since?: number
  /** Milliseconds since 1970: entries before that time. */
  readonly until?: number
  /** Only entries before the one of this id. */
  readonly after?: number
  readonly limit: number
}

/** Where the audit log is kept. Nothing in it is ever changed; the oldest entries are pruned. */
export interface AuditStore {
  /** Adds an entry, and numbers it; on disk when it resolves. */
  add(entry: NewAuditEntry): Promise<AuditEntry>
  /** Entries, the newest first. */
  list(query: AuditQuery): Promise<readonly AuditEntry[]>
}
