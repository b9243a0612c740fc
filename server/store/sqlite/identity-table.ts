// What the boots of machines have had of us, the keys that machines showed, and which machines are open, in SQLite.

import { bootId, bootNumber } from '#model/boot.ts'
import type { KeyState, MachineKey } from '#model/machine-key.ts'
import type { Database } from './database.ts'
import type { MachineBoot, Recipient, Reopening } from '../machine-records.ts'

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
      bootNumber(boot),
    )
    return row && machineBootOf(row)
  }

  /** The latest boot of a machine that a bundle was given to. */
  lastUsedBoot(machine: string): MachineBoot | undefined {
    const [row] = this.#db.all<BootRow>(
      'SELECT * FROM machine_boots WHERE machine = ? AND token IS NOT NULL ORDER BY boot DESC LIMIT 1',
      machine,
    )
    return row && machineBootOf(row)
  }

  /** The same of every machine that has one. */
  lastUsedBoots(): MachineBoot[] {
    // SQLite takes the other columns from the row that has the maximum.
    return this.#db
      .all<BootRow>('SELECT *, max(boot) FROM machine_boots WHERE token IS NOT NULL GROUP BY machine')
      .map(machineBootOf)
  }

  /** Keeps a boot, and forgets those of the machine that began long before, with their tokens; in the transaction of its caller. */
  putBoot(known: MachineBoot): void {
    const { machine, boot, tokens, proven, isElsewhere, port, isPortMoved } = known
    const { token, shownBy, key, fingerprint, bundleAt, readyAt } = known
    const number = bootNumber(boot)
    this.#db.run(
      `INSERT OR REPLACE INTO machine_boots 
         (machine, boot, tokens, proven, elsewhere, port, port_moved, token, shown_by, key, fingerprint, bundle_at, ready_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      machine,
      number,
      tokens,
      Number(proven),
      Number(isElsewhere === true),
      port ?? null,
      Number(isPortMoved === true),
      token ?? null,
      shownBy ?? null,
      key ?? null,
      fingerprint ?? null,
      bundleAt ?? null,
      readyAt ?? null,
    )
    if (tokens === 1) this.#forgetOldBoots(machine) // later ones add no row
  }

  #forgetOldBoots(machine: string): void {
    const [row] = this.#db.all<{ boots: number }>(
      'SELECT count(*) AS boots FROM machine_boots WHERE machine = ?',
      machine,
    )
    if (row === undefined || row.boots <= Math.min(BOOTS_KEPT, ELSEWHERE_KEPT)) return
    // A boot whose key waits for an operator, or was approved, may be the machine's own; there are few.
    const waiting = this.#db.all<{ boot: string }>(
      "SELECT DISTINCT boot FROM machine_keys WHERE machine = ? AND state IN ('pending', 'approved')",
      machine,
    )
    // The latest boot with a bundle says whether the machine is ready: it stays, however many followed.
    const gone = this.#db.all<{ boot: number }>(
      `DELETE FROM machine_boots WHERE machine = ? AND boot NOT IN (
         SELECT boot FROM machine_boots WHERE machine = ? AND elsewhere = 0 ORDER BY boot DESC LIMIT ${BOOTS_KEPT})
       AND boot NOT IN (
         SELECT boot FROM machine_boots WHERE machine = ? AND elsewhere = 1 ORDER BY boot DESC LIMIT ${ELSEWHERE_KEPT})
       AND boot <> coalesce((SELECT max(boot) FROM machine_boots WHERE machine = ? AND token IS NOT NULL), -1)
       AND boot NOT IN (SELECT value FROM json_each(?))
       RETURNING boot`,
      machine,
      machine,
      machine,
      machine,
      JSON.stringify(waiting.map(({ boot }) => bootNumber(boot))),
    )
    for (const one of gone)
      this.#db.run('DELETE FROM tokens WHERE machine = ? AND boot = ?', machine, bootId(one.boot))
  }

  /**
   * Marks the bundle of a boot as handed out, and to whom; false when it was before, when the boot had no token, or when a later
   * boot has its bundle.
   */
  spendBoot(machine: string, boot: string, at: number, to?: Recipient): boolean {
    const { changes } = this.#db.run(
      `UPDATE machine_boots SET bundle_at = ?, token = coalesce(?, token), key = coalesce(?, key),
         fingerprint = coalesce(?, fingerprint)
       WHERE machine = ? AND boot = ? AND bundle_at IS NULL AND NOT EXISTS (
         SELECT 1 FROM machine_boots AS later
         WHERE later.machine = machine_boots.machine AND later.boot > machine_boots.boot AND later.bundle_at IS NOT NULL)`,
      at,
      to?.token ?? null,
      to?.key ?? null,
      to?.fingerprint ?? null,
      machine,
      bootNumber(boot),
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

  /** Another machine that a key is approved for. */
  otherOwner(machine: string, fingerprint: string): string | undefined {
    const [row] = this.#db.all<{ machine: string }>(
      `SELECT machine FROM machine_keys WHERE fingerprint = ? AND machine <> ? AND state = 'approved'
       ORDER BY machine LIMIT 1`,
      fingerprint,
      machine,
    )
    return row?.machine
  }

  /** Keeps a key. One that becomes approved retires the one before; of those that are undecided, only the last are kept. */
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
      `DELETE FROM machine_keys WHERE machine = ? AND state IN ('pending', 'retired') AND fingerprint NOT IN (
         SELECT fingerprint FROM machine_keys WHERE machine = ? AND state IN ('pending', 'retired')
         ORDER BY seen_at DESC LIMIT ${KEYS_KEPT})`,
      machine,
      machine,
    )
  }

  /**
   * Opens the next boot of a machine: not those that have a token already, which may be those of others. With `boot` that one
   * and those after it.
   */
  reopen({ machine, at, until, who, made }: Reopening, boot?: string): void {
    this.#db.run(
      `INSERT OR REPLACE INTO reopened (machine, at, until, who, host_run, host_at, after_boot)
       VALUES (?, ?, ?, ?, ?, ?, coalesce(?, (SELECT max(boot) FROM machine_boots WHERE machine = ?), 0))`,
      machine,
      at,
      until,
      who,
      made?.run ?? null,
      made?.at ?? null,
      boot === undefined ? null : bootNumber(boot) - 1,
      machine,
    )
  }

  /** What was opened, of a machine or of all. */
  reopenings(machine?: string): Reopening[] {
    const columns = 'SELECT machine, at, until, who, host_run, host_at FROM reopened'
    const rows =
      machine === undefined
        ? this.#db.all<ReopeningRow>(`${columns} ORDER BY machine`)
        : this.#db.all<ReopeningRow>(`${columns} WHERE machine = ?`, machine)
    return rows.map(({ host_run, host_at, ...row }) => {
      return {
        ...row,
        ...(host_run !== null && host_at !== null && { made: { run: host_run, at: host_at } }),
      }
    })
  }

  isReopened(machine: string, boot: string): boolean {
    const number = bootNumber(boot)
    return (
      this.#db.all('SELECT 1 FROM reopened WHERE machine = ? AND after_boot < ?', machine, number).length > 0
    )
  }

  /** Closes a machine; of a boot whose key was decided on only when it was opened for that boot. */
  closeReopened(machine: string, boot?: string): void {
    if (boot === undefined) this.#db.run('DELETE FROM reopened WHERE machine = ?', machine)
    else this.#db.run('DELETE FROM reopened WHERE machine = ? AND after_boot < ?', machine, bootNumber(boot))
  }
}

type ReopeningRow = {
  machine: string
  at: number
  until: number
  who: string
  host_run: string | null
  host_at: number | null
}

/** Keys kept of each machine, besides those that were approved or rejected. */
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
const BOOTS_KEPT = 200
/**
 * Boots kept of each machine that anyone may have begun in its name. They begin 64 at once and one a minute after that, so each
 * keeps its tokens for an hour at least: longer than an unshown token is valid.
 */
const ELSEWHERE_KEPT = 128

type BootRow = {
  machine: string
  boot: number
  tokens: number
  proven: number
  elsewhere: number
  port: string | null
  port_moved: number
  token: string | null
  shown_by: string | null
  key: string | null
  fingerprint: string | null
  bundle_at: number | null
  ready_at: number | null
}

function machineBootOf({
  machine,
  boot,
  tokens,
  proven,
  elsewhere,
  port,
  port_moved,
  token,
  shown_by,
  key,
  fingerprint,
  bundle_at,
  ready_at,
}: BootRow): MachineBoot {
  return {
    machine,
    boot: bootId(boot),
    tokens,
    proven: proven === 1,
    ...(elsewhere === 1 && { isElsewhere: true }),
    ...(port === null ? {} : { port }),
    ...(port_moved === 1 && { isPortMoved: true }),
    ...(token === null ? {} : { token }),
    ...(shown_by === null ? {} : { shownBy: shown_by }),
    ...(key === null ? {} : { key }),
    ...(fingerprint === null ? {} : { fingerprint }),
    ...(bundle_at === null ? {} : { bundleAt: bundle_at }),
    ...(ready_at === null ? {} : { readyAt: ready_at }),
  }
}
