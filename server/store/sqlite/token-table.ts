// Tokens in SQLite, by their hashes.

import type { Database } from './database.ts'
import type { TokenRecord } from '../machine-records.ts'

/** The table `tokens`. Every method that changes it runs in the transaction of its caller. */
export class TokenTable {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  one(hash: string): TokenRecord | undefined {
    const [row] = this.#db.all<TokenRow>('SELECT * FROM tokens WHERE hash = ?', hash)
    return row && tokenOf(row)
  }

  /** The tokens of a boot, in the order in which they were made. */
  ofBoot(machine: string, boot: string): TokenRecord[] {
    return this.#db
      .all<TokenRow>('SELECT * FROM tokens WHERE machine = ? AND boot = ? ORDER BY number', machine, boot)
      .map(tokenOf)
  }

  /** Adds a token; `number` is its place among those of its boot. */
  add({ hash, machine, boot, until, made }: TokenRecord, number: number): void {
    this.#db.run(
      `INSERT INTO tokens (hash, machine, boot, until, number, host_run, host_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      hash,
      machine,
      boot,
      until,
      number,
      made?.run ?? null,
      made?.at ?? null,
    )
  }

  use(hash: string, at: number): void {
    this.#db.run('UPDATE tokens SET used_at = ? WHERE hash = ?', at, hash)
  }

  forget(hash: string): void {
    this.#db.run('DELETE FROM tokens WHERE hash = ?', hash)
  }

  /** Forgets those that had to be used before a time; never that of a machine that runs, which renews its certificates with it. */
  prune(before: number): void {
    this.#db.run(
      `DELETE FROM tokens WHERE until < ? AND hash NOT IN (
         SELECT token FROM machine_boots WHERE token IS NOT NULL)`,
      before,
    )
  }
}

type TokenRow = {
  hash: string
  machine: string
  boot: string
  until: number
  used_at: number | null
  host_run: string | null
  host_at: number | null
}

function tokenOf({ hash, machine, boot, until, used_at, host_run, host_at }: TokenRow): TokenRecord {
  return {
    hash,
    machine,
    boot,
    until,
    ...(host_run === null || host_at === null ? {} : { made: { run: host_run, at: host_at } }),
    ...(used_at === null ? {} : { usedAt: used_at }),
  }
}
