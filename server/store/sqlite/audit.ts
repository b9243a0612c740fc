// The audit log in SQLite.

import type { AuditEntry } from '#model/audit.ts'
import type { AuditQuery, AuditStore, NewAuditEntry } from '../audit.ts'
import type { Database } from './database.ts'

/** How many entries are kept, and how many of those about what was not done: a client of any role can cause them. */
const KEPT = 500_000
const NOT_DONE_KEPT = 10_000
/** How often they are counted, in entries. */
const TRIM_EVERY = 1000

/** The table `audit`. */
export class StoredAudit implements AuditStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  add(entry: NewAuditEntry): Promise<AuditEntry> {
    return this.#db.together(() => this.put(entry))
  }

  /** Adds an entry in the transaction of its caller. */
  put(entry: NewAuditEntry): AuditEntry {
    const { at, who, role, by, from, action, entity, before, after, summary, outcome, code } = entry
    const { lastInsertRowid } = this.#db.run(
      `INSERT INTO audit (at, who, role, shown, address, action, entity, before, after, summary, outcome, code)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      at,
      who,
      role,
      by,
      from,
      action,
      entity,
      before ?? null,
      after ?? null,
      summary ?? null,
      outcome,
      code ?? null,
    )
    const id = Number(lastInsertRowid)
    if (id % TRIM_EVERY === 0) this.#trim(id)
    return { id, ...entry }
  }

  async list({ who, entity, since, until, after, limit }: AuditQuery): Promise<AuditEntry[]> {
    return this.#db
      .all<AuditRow>(
        `SELECT * FROM audit
         WHERE id < ? AND at >= ? AND at < ? AND (? IS NULL OR who = ?) AND (? IS NULL OR entity = ?)
         ORDER BY id DESC LIMIT ?`,
        after ?? Number.MAX_SAFE_INTEGER,
        since ?? 0,
        until ?? Number.MAX_SAFE_INTEGER,
        who ?? null,
        who ?? null,
        entity ?? null,
        entity ?? null,
        limit,
      )
      .map(entryIn)
  }

  /** Forgets entries of before a time, at most `share` of all; in the transaction of its caller. */
  prune(before: number, share: number): void {
    this.#db.run(
      `DELETE FROM audit WHERE id IN (
         SELECT id FROM audit WHERE at < ? ORDER BY id LIMIT (SELECT ceil(count(*) * ?) FROM audit))`,
      before,
      share,
    )
  }

  #trim(newest: number): void {
    this.#db.run('DELETE FROM audit WHERE id <= ?', newest - KEPT)
    this.#db.run(
      `DELETE FROM audit WHERE outcome <> 'done' AND id <= (
         SELECT id FROM audit WHERE outcome <> 'done' ORDER BY id DESC LIMIT 1 OFFSET ?)`,
      NOT_DONE_KEPT,
    )
  }
}

type AuditRow = Pick<AuditEntry, 'id' | 'at' | 'who' | 'role' | 'action' | 'entity' | 'outcome'> & {
  readonly shown: AuditEntry['by']
  readonly address: string
  readonly before: string | null
  readonly after: string | null
  readonly summary: string | null
  readonly code: string | null
}

function entryIn({ shown, address, before, after, summary, code, ...row }: AuditRow): AuditEntry {
  const { id, at, who, role, action, entity, outcome } = row
  return {
    id,
    at,
    who,
    role,
    by: shown,
    from: address,
    action,
    entity,
    ...(before !== null && { before }),
    ...(after !== null && { after }),
    ...(summary !== null && { summary }),
    outcome,
    ...(code !== null && { code }),
  }
}
