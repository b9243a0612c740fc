// Leases in SQLite.

import type { Lease } from '#model/lease.ts'
import type { LeaseChange, LeaseStore } from '../leases.ts'
import type { Database } from './database.ts'

/** The table `leases`: what DHCP keeps its leases in. */
export class StoredLeases implements LeaseStore {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  async all(): Promise<Lease[]> {
    return this.#db
      .all<LeaseRow>('SELECT * FROM leases')
      .map(({ expires_at: expiresAt, uuid, ...lease }) => ({
        ...lease,
        expiresAt,
        ...(uuid === null ? {} : { uuid }),
      }))
  }

  /** Shares the commit with all that is pending, and makes it at once: clients wait for their acknowledgements. */
  async commit(changes: readonly LeaseChange[]): Promise<void> {
    this.#db.withWaiting(() => {
      for (const change of changes) {
        if (change.kind === 'drop') this.#db.run('DELETE FROM leases WHERE address = ?', change.address)
        else {
          const { address, mac, state, expiresAt, uuid } = change.lease
          this.#db.run(
            `INSERT OR REPLACE INTO leases (address, mac, state, expires_at, uuid) VALUES (?, ?, ?, ?, ?)`,
            address,
            mac,
            state,
            expiresAt,
            uuid ?? null,
          )
        }
      }
    })
  }
}

type LeaseRow = Omit<Lease, 'expiresAt' | 'uuid'> & { expires_at: number; uuid: string | null }
