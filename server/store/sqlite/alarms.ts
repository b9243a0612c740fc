// Alarms in SQLite.

import { ALARMS, type Alarm, type AlarmCode } from '#model/alarm.ts'
import type { AlarmStore } from '../alarms.ts'
import { alarmOf } from '../../alarms/transitions.ts'
import type { Database } from './database.ts'

/** The table `alarms`: one row for each code and entity. */
export class StoredAlarms implements AlarmStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** Rows of a code that this version does not know are left alone. */
  async all(): Promise<Alarm[]> {
    return this.#db
      .all<AlarmRow>('SELECT * FROM alarms ORDER BY last_seen')
      .flatMap(row => (isCode(row.code) ? [alarmIn(row, row.code)] : []))
  }

  async keep(alarms: readonly Alarm[], forgotten: readonly string[]): Promise<void> {
    if (alarms.length + forgotten.length === 0) return
    await this.#db.together(() => {
      for (const id of forgotten) {
        const at = id.indexOf(':') // a code has none
        this.#db.run('DELETE FROM alarms WHERE code = ? AND entity = ?', id.slice(0, at), id.slice(at + 1))
      }
      for (const { code, entity, since, lastSeen, count, reason, acknowledged, cleared } of alarms) {
        this.#db.run(
          `INSERT OR REPLACE INTO alarms (code, entity, since, last_seen, count, reason,
             acknowledged_at, acknowledged_by, cleared_at, cleared_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          code,
          entity,
          since,
          lastSeen,
          count,
          reason,
          acknowledged?.at ?? null,
          acknowledged?.who ?? null,
          cleared?.at ?? null,
          cleared?.who ?? null,
        )
      }
    })
  }
}

type AlarmRow = {
  code: string
  entity: string
  since: number
  last_seen: number
  count: number
  reason: string
  acknowledged_at: number | null
  acknowledged_by: string | null
  cleared_at: number | null
  cleared_by: string | null
}

function isCode(code: string): code is AlarmCode {
  return Object.hasOwn(ALARMS, code)
}

function alarmIn(row: AlarmRow, code: AlarmCode): Alarm {
  const { entity, since, last_seen, count, reason } = row
  const { acknowledged_at, acknowledged_by, cleared_at, cleared_by } = row
  return alarmOf({
    code,
    entity,
    since,
    lastSeen: last_seen,
    count,
    reason,
    ...(acknowledged_at !== null && { acknowledged: { at: acknowledged_at, who: acknowledged_by ?? '' } }), // both or none
    ...(cleared_at !== null && {
      cleared: { at: cleared_at, ...(cleared_by !== null && { who: cleared_by }) },
    }),
  })
}
