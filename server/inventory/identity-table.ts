// What the boots of machines have had of us, in SQLite.

import type { Database } from './database.ts'
import type { MachineBoot } from './store.ts'

/** The table `machine_boots`. */
export class IdentityTable {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  boot(machine: string, boot: string): MachineBoot | undefined {
    const [row] = this.#db.all<BootRow>(
      'SELECT * FROM machine_boots WHERE machine = ? AND boot = ?',
      machine,
      numberOf(boot),
    )
    return row && machineBootOf(row)
  }

  /** The latest boot of a machine of which a token was used. */
  lastUsedBoot(machine: string): MachineBoot | undefined {
    const [row] = this.#db.all<BootRow>(
      'SELECT * FROM machine_boots WHERE machine = ? AND token IS NOT NULL ORDER BY boot DESC LIMIT 1',
      machine,
    )
    return row && machineBootOf(row)
  }

  /** Keeps a boot, and forgets those of the machine that began long before; in the transaction of its caller. */
  putBoot({ machine, boot, tokens, token, key, bundleAt, readyAt }: MachineBoot): void {
    const number = numberOf(boot)
    this.#db.run(
      `INSERT OR REPLACE INTO machine_boots (machine, boot, tokens, token, key, bundle_at, ready_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      machine,
      number,
      tokens,
      token ?? null,
      key ?? null,
      bundleAt ?? null,
      readyAt ?? null,
    )
    // The latest boot whose token was used says whether the machine is ready: it stays, however many came after.
    this.#db.run(
      `DELETE FROM machine_boots WHERE machine = ? AND boot NOT IN (
         SELECT boot FROM machine_boots WHERE machine = ? ORDER BY boot DESC LIMIT ${BOOTS_KEPT})
       AND boot < (SELECT max(boot) FROM machine_boots WHERE machine = ? AND token IS NOT NULL)`,
      machine,
      machine,
      machine,
    )
  }

  /** Marks the bundle of a boot as handed out; false when it was before, or when the boot had no token. */
  spendBoot(machine: string, boot: string, at: number): boolean {
    const { changes } = this.#db.run(
      'UPDATE machine_boots SET bundle_at = ? WHERE machine = ? AND boot = ? AND bundle_at IS NULL',
      at,
      machine,
      numberOf(boot),
    )
    return changes > 0
  }
}

/** Boots kept of each machine. */
const BOOTS_KEPT = 20

type BootRow = {
  machine: string
  boot: number
  tokens: number
  token: string | null
  key: string | null
  bundle_at: number | null
  ready_at: number | null
}

function machineBootOf({ machine, boot, tokens, token, key, bundle_at, ready_at }: BootRow): MachineBoot {
  return {
    machine,
    boot: `b-${boot.toString(16).padStart(4, '0')}`,
    tokens,
    ...(token === null ? {} : { token }),
    ...(key === null ? {} : { key }),
    ...(bundle_at === null ? {} : { bundleAt: bundle_at }),
    ...(ready_at === null ? {} : { readyAt: ready_at }),
  }
}

function numberOf(boot: string): number {
  return Number.parseInt(boot.slice(2), 16)
}
