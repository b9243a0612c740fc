// What the boots of machines have had of us, the keys that machines showed, and which machines are open, in SQLite.

import type { Database } from './database.ts'
import type { MachineBoot } from './store.ts'
import type { KeyState, MachineKey } from './trust.ts'

/** The tables `machine_boots`, `machine_keys` and `reopened`. */
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
  putBoot({ machine, boot, tokens, proven, token, key, bundleAt, readyAt }: MachineBoot): void {
    const number = numberOf(boot)
    this.#db.run(
      `INSERT OR REPLACE INTO machine_boots (machine, boot, tokens, proven, token, key, bundle_at, ready_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      machine,
      number,
      tokens,
      Number(proven),
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

  /** The keys of a machine, or of all, the one seen last first. */
  keys(machine?: string): MachineKey[] {
    const rows =
      machine === undefined
        ? this.#db.all<KeyRow>('SELECT * FROM machine_keys ORDER BY machine, seen_at DESC')
        : this.#db.all<KeyRow>('SELECT * FROM machine_keys WHERE machine = ? ORDER BY seen_at DESC', machine)
    return rows.map(keyOf)
  }

  /** Keeps a key. One that becomes approved retires the one before; only the last of the others are kept. */
  putKey(key: MachineKey): void {
    const { machine, fingerprint, recipient, state, boot, address, mac, port, why } = key
    if (state === 'approved') {
      this.#db.run(
        `UPDATE machine_keys SET state = 'retired', why = 'another one was approved'
         WHERE machine = ? AND fingerprint <> ? AND state = 'approved'`,
        machine,
        fingerprint,
      )
    }
    this.#db.run(
      `INSERT OR REPLACE INTO machine_keys
         (machine, fingerprint, recipient, state, boot, address, mac, port, why, seen_at, decided_at, decided_by)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      machine,
      fingerprint,
      recipient,
      state,
      boot,
      address,
      mac,
      port ?? null,
      why,
      key.seenAt,
      key.decidedAt ?? null,
      key.decidedBy ?? null,
    )
    this.#db.run(
      `DELETE FROM machine_keys WHERE machine = ? AND state <> 'approved' AND fingerprint NOT IN (
         SELECT fingerprint FROM machine_keys WHERE machine = ? ORDER BY seen_at DESC LIMIT ${KEYS_KEPT})`,
      machine,
      machine,
    )
  }

  /** Opens the next boot of a machine: no key is pinned any more. */
  reopen(machine: string, at: number, who: string): void {
    this.#db.run('INSERT OR REPLACE INTO reopened (machine, at, who) VALUES (?, ?, ?)', machine, at, who)
    this.#db.run(
      `UPDATE machine_keys SET state = 'retired', why = ? WHERE machine = ? AND state = 'approved'`,
      `the machine was opened by ${who}`,
      machine,
    )
  }

  isReopened(machine: string): boolean {
    return this.#db.all('SELECT 1 FROM reopened WHERE machine = ?', machine).length > 0
  }

  /** The boot that it was opened for has begun. */
  closeReopened(machine: string): void {
    this.#db.run('DELETE FROM reopened WHERE machine = ?', machine)
  }
}

/** Keys kept of each machine, besides the approved one. */
const KEYS_KEPT = 20

type KeyRow = {
  machine: string
  fingerprint: string
  recipient: string
  state: KeyState
  boot: string
  address: string
  mac: string
  port: string | null
  why: string
  seen_at: number
  decided_at: number | null
  decided_by: string | null
}

function keyOf({ port, seen_at, decided_at, decided_by, ...row }: KeyRow): MachineKey {
  const { machine, fingerprint, recipient, state, boot, address, mac, why } = row
  return {
    machine,
    fingerprint,
    recipient,
    state,
    boot,
    address,
    mac,
    why,
    ...(port === null ? {} : { port }),
    seenAt: seen_at,
    ...(decided_at === null ? {} : { decidedAt: decided_at }),
    ...(decided_by === null ? {} : { decidedBy: decided_by }),
  }
}

/** Boots kept of each machine. */
const BOOTS_KEPT = 20

type BootRow = {
  machine: string
  boot: number
  tokens: number
  proven: number
  token: string | null
  key: string | null
  bundle_at: number | null
  ready_at: number | null
}

function machineBootOf({
  machine,
  boot,
  tokens,
  proven,
  token,
  key,
  bundle_at,
  ready_at,
}: BootRow): MachineBoot {
  return {
    machine,
    boot: `b-${boot.toString(16).padStart(4, '0')}`,
    tokens,
    proven: proven === 1,
    ...(token === null ? {} : { token }),
    ...(key === null ? {} : { key }),
    ...(bundle_at === null ? {} : { bundleAt: bundle_at }),
    ...(ready_at === null ? {} : { readyAt: ready_at }),
  }
}

function numberOf(boot: string): number {
  return Number.parseInt(boot.slice(2), 16)
}
