// What was installed on the disks of machines, and what operators ordered, in SQLite.

import { bootId, bootNumber } from '#model/boot.ts'
import type { DiskName, OrderVerb, UpgradeState } from '#model/install.ts'
import type { Database } from './database.ts'
import type { Install, KeptOrder } from '../machine-records.ts'

/**
 * Installs kept of each machine: the confirmed one, and of those that are not the last, by boots that DHCP showed before others; also
 * the first that were reported as written, so that who boots in the name of a machine which waits for its approval does not push it out.
 */
const INSTALLS_KEPT = 8
const FIRST_KEPT = 4

/** The tables `installs` and `orders`. */
export class InstallTable {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** What a machine's boots were granted, the latest first; or those of all machines. */
  installs(machine?: string): Install[] {
    const rows =
      machine === undefined
        ? this.#db.all<InstallRow>('SELECT * FROM installs ORDER BY machine, boot DESC')
        : this.#db.all<InstallRow>('SELECT * FROM installs WHERE machine = ? ORDER BY boot DESC', machine)
    return rows.map(installOf)
  }

  /** Keeps what a boot was granted. One that is confirmed takes the place of every other. */
  put(install: Install): void {
    const { machine, boot, disks, version, slot, overwrite, orderedBy } = install
    const { grantedAt, installedAt, confirmedAt, table, roothashes, grantedBoot } = install
    this.#db.run(
      `INSERT OR REPLACE INTO installs
         (machine, boot, disks, version, slot, overwrite, ordered_by, granted_at, installed_at, confirmed_at, table_id, roothashes, granted_boot)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      machine,
      bootNumber(boot),
      JSON.stringify(disks),
      version,
      slot ?? null,
      Number(overwrite),
      orderedBy ?? null,
      grantedAt,
      installedAt ?? null,
      confirmedAt ?? null,
      table ?? null,
      roothashes === undefined ? null : JSON.stringify(roothashes),
      grantedBoot === undefined ? null : bootNumber(grantedBoot),
    )
    if (confirmedAt !== undefined)
      this.#db.run('DELETE FROM installs WHERE machine = ? AND boot <> ?', machine, bootNumber(boot))
    // Boots that anyone may have begun go first.
    this.#db.run(
      `DELETE FROM installs WHERE machine = ? AND confirmed_at IS NULL AND boot NOT IN (
         SELECT boot FROM installs LEFT JOIN machine_boots USING (machine, boot)
         WHERE machine = ? AND confirmed_at IS NULL
         ORDER BY COALESCE(elsewhere, 1), COALESCE(proven, 0) DESC, boot DESC LIMIT ${INSTALLS_KEPT})
       AND boot NOT IN (
         SELECT boot FROM installs LEFT JOIN machine_boots USING (machine, boot)
         WHERE machine = ? AND confirmed_at IS NULL AND installed_at IS NOT NULL AND COALESCE(elsewhere, 0) = 0
         ORDER BY boot LIMIT ${FIRST_KEPT})`,
      machine,
      machine,
      machine,
    )
  }

  forget(machine: string): void {
    this.#db.run('DELETE FROM installs WHERE machine = ?', machine)
  }

  /** What is ordered for a machine, or for all. */
  orders(machine?: string): KeptOrder[] {
    const rows =
      machine === undefined
        ? this.#db.all<OrderRow>('SELECT * FROM orders ORDER BY machine')
        : this.#db.all<OrderRow>('SELECT * FROM orders WHERE machine = ?', machine)
    return rows.map(orderOf)
  }

  putOrder(order: KeptOrder): void {
    const { machine, verb, at, until, who, made, boot, target, state, since, sinceHost, why, kernel } = order
    const { healthySeconds, withoutProof, provenBoot } = order
    this.#db.run(
      `INSERT OR REPLACE INTO orders (machine, verb, at, until, who, host_run, host_at, boot, target, state, since, why, kernel, healthy_seconds, since_run, since_at, without_proof, proven_boot)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      machine,
      verb,
      at,
      until,
      who,
      made.run,
      made.at,
      boot === undefined ? null : bootNumber(boot),
      target ?? null,
      state ?? null,
      since ?? null,
      why ?? null,
      kernel ?? null,
      healthySeconds ?? null,
      sinceHost?.run ?? null,
      sinceHost?.at ?? null,
      Number(withoutProof === true),
      provenBoot === undefined ? null : bootNumber(provenBoot),
    )
  }

  endOrder(machine: string): void {
    this.#db.run('DELETE FROM orders WHERE machine = ?', machine)
  }
}

type InstallRow = {
  machine: string
  boot: number
  disks: string
  version: string
  slot: 'a' | 'b' | null
  overwrite: number
  ordered_by: string | null
  granted_at: number
  installed_at: number | null
  confirmed_at: number | null
  table_id: string | null
  roothashes: string | null
  granted_boot: number | null
}

type OrderRow = {
  machine: string
  verb: OrderVerb
  at: number
  until: number
  who: string
  host_run: string
  host_at: number
  boot: number | null
  target: string | null
  state: UpgradeState | null
  since: number | null
  why: string | null
  kernel: string | null
  healthy_seconds: number | null
  since_run: string | null
  since_at: number | null
  without_proof: number
  proven_boot: number | null
}

function orderOf(row: OrderRow): KeptOrder {
  const { machine, verb, at, until, who, host_run, host_at, boot, target, state, since, why, kernel } = row
  const { since_run, since_at } = row
  return {
    machine,
    verb,
    at,
    until,
    who,
    made: { run: host_run, at: host_at },
    ...(boot !== null && { boot: bootId(boot) }),
    ...(target !== null && { target }),
    ...(state !== null && { state }),
    ...(since !== null && { since }),
    ...(since_run !== null && since_at !== null && { sinceHost: { run: since_run, at: since_at } }),
    ...(why !== null && { why }),
    ...(kernel !== null && { kernel }),
    ...(row.healthy_seconds !== null && { healthySeconds: row.healthy_seconds }),
    ...(row.without_proof === 1 && { withoutProof: true }),
    ...(row.proven_boot !== null && { provenBoot: bootId(row.proven_boot) }),
  }
}

function installOf(row: InstallRow): Install {
  const { machine, boot, disks, version, slot, overwrite, ordered_by, granted_at } = row
  const { installed_at, confirmed_at } = row
  return {
    machine,
    boot: bootId(boot),
    disks: JSON.parse(disks) as DiskName[], // as `put` wrote them
    version,
    ...(slot !== null && { slot }),
    overwrite: overwrite === 1,
    ...(ordered_by !== null && { orderedBy: ordered_by }),
    grantedAt: granted_at,
    ...(installed_at !== null && { installedAt: installed_at }),
    ...(confirmed_at !== null && { confirmedAt: confirmed_at }),
    ...(row.table_id !== null && { table: row.table_id }),
    ...(row.roothashes !== null && { roothashes: JSON.parse(row.roothashes) as string[] }), // as `put` wrote them
    ...(row.granted_boot !== null && { grantedBoot: bootId(row.granted_boot) }),
  }
}
