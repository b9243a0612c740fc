// The store in one SQLite file: write-ahead log, every commit on disk before anybody is told.

import type { BootEvent } from '#model/boot.ts'
import type { BundleDescription, SiteAuthority } from '#model/bundle.ts'
import type { MachineKey } from '#model/machine-key.ts'
import type { AlarmStore } from './alarms.ts'
import type { AuditStore } from './audit.ts'
import type { LeaseStore } from './leases.ts'
import { Database } from './database.ts'
import { EventTable } from './event-table.ts'
import { ObjectTable } from './object-table.ts'
import type { ObjectStore } from './objects.ts'
import { StoredAlarms } from './sqlite/alarms.ts'
import { StoredAudit } from './sqlite/audit.ts'
import { StoredLeases } from './sqlite/leases.ts'
import { StoredObjects } from './sqlite/objects.ts'
import { IdentityTable } from './identity-table.ts'
import { SealedTable } from './sealed-table.ts'
import type { Boot, MachineBoot, Recipient, Reopening, Signing, Store, TokenRecord } from './store.ts'

/** The store in one file. */
export class SqliteStore implements Store {
  readonly objects: ObjectStore
  readonly leases: LeaseStore
  readonly alarms: AlarmStore
  readonly audit: AuditStore
  readonly #db: Database
  readonly #objectTable: ObjectTable
  readonly #audit: StoredAudit
  readonly #events: EventTable
  readonly #sealed: SealedTable
  readonly #identities: IdentityTable

  /**
   * Opens the store at `path` (`:memory:` for tests), makes it when it is not there, and brings its schema up to date.
   *
   * @param onFailure hears of what the disk did not take or give
   * @throws {NewerStore} when a newer Pilotlight wrote it; {BrokenState} when it is damaged, or when what is sealed in it
   *   does not open; {CannotWrite}
   */
  constructor(path: string, onFailure: (error: unknown) => void = () => {}) {
    this.#db = new Database(path, onFailure)
    this.#objectTable = new ObjectTable(this.#db)
    this.#audit = new StoredAudit(this.#db)
    this.objects = new StoredObjects(this.#db, this.#objectTable, this.#audit)
    this.#events = new EventTable(this.#db)
    this.#sealed = new SealedTable(this.#db, path)
    this.#identities = new IdentityTable(this.#db)
    this.leases = new StoredLeases(this.#db)
    this.alarms = new StoredAlarms(this.#db)
    this.audit = this.#audit
  }

  bundle(machine: string): BundleDescription | undefined {
    return this.#sealed.read('bundle', machine) as BundleDescription | undefined // as putBundle wrote it
  }

  putBundle(machine: string, bundle: BundleDescription): boolean {
    return this.#sealed.write('bundle', machine, bundle)
  }

  async sites(): Promise<string[]> {
    return (await this.objects.networks()).map(({ name }) => name)
  }

  authority(site: string): SiteAuthority | undefined {
    return this.#sealed.read('authority', site) as SiteAuthority | undefined // as putAuthority wrote it
  }

  putAuthority(site: string, authority: SiteAuthority): boolean {
    return this.#sealed.write('authority', site, authority)
  }

  signings(): Map<string, Signing> {
    return new Map(this.#sealed.all('signing') as [string, Signing][]) // as putSigning wrote them
  }

  putSigning(machine: string, signing: Signing): void {
    this.#sealed.write('signing', machine, signing)
  }

  together<T>(work: () => T): Promise<T> {
    return this.#db.together(work)
  }

  addToken({ hash, machine, boot, until, made }: TokenRecord, of: MachineBoot): void {
    this.#run(
      `INSERT INTO tokens (hash, machine, boot, until, number, host_run, host_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      hash,
      machine,
      boot,
      until,
      of.tokens,
      made?.run ?? null,
      made?.at ?? null,
    )
    this.#identities.putBoot(of)
  }

  token(hash: string): TokenRecord | undefined {
    const [row] = this.#all<TokenRow>('SELECT * FROM tokens WHERE hash = ?', hash)
    return row && tokenOf(row)
  }

  tokensOf(machine: string, boot: string): TokenRecord[] {
    const rows = this.#all<TokenRow>(
      'SELECT * FROM tokens WHERE machine = ? AND boot = ? ORDER BY number',
      machine,
      boot,
    )
    return rows.map(tokenOf)
  }

  useToken(hash: string, at: number): void {
    this.#run('UPDATE tokens SET used_at = ? WHERE hash = ?', at, hash)
  }

  forgetToken(hash: string): void {
    this.#run('DELETE FROM tokens WHERE hash = ?', hash)
  }

  machineBoot(machine: string, boot: string): MachineBoot | undefined {
    return this.#identities.boot(machine, boot)
  }

  lastUsedBoot(machine: string): MachineBoot | undefined {
    return this.#identities.lastUsedBoot(machine)
  }

  putMachineBoot(boot: MachineBoot): void {
    this.#db.atOnce(() => this.#identities.putBoot(boot))
  }

  spendBoot(machine: string, boot: string, at: number, to?: Recipient): boolean {
    return this.#db.atOnce(() => this.#identities.spendBoot(machine, boot, at, to))
  }

  machineKeys(machine?: string): MachineKey[] {
    return this.#identities.keys(machine)
  }

  putMachineKey(key: MachineKey): void {
    this.#db.atOnce(() => this.#identities.putKey(key))
  }

  reopenMachine(reopening: Reopening): void {
    this.#db.atOnce(() => this.#identities.reopen(reopening))
  }

  reopenings(machine?: string): Reopening[] {
    return this.#identities.reopenings(machine)
  }

  isReopened(machine: string, boot: string): boolean {
    return this.#identities.isReopened(machine, boot)
  }

  closeReopened(machine: string, boot?: string): void {
    this.#db.atOnce(() => this.#identities.closeReopened(machine, boot))
  }

  append(boot: Boot, event: BootEvent, when: 'soon' | 'within a second' = 'soon'): Promise<void> {
    const patient = when === 'soon' ? true : 'very'
    return this.#db.together(() => this.#events.append(boot, event), { patient })
  }

  eventsAfter(id: number, filter: { readonly machine?: string; readonly limit: number }): BootEvent[] {
    this.#db.flush() // a reader sees all that was told before it asked
    return this.#events.after(id, filter)
  }

  eventsOf(boot: string): BootEvent[] {
    this.#db.flush()
    return this.#events.ofBoot(boot)
  }

  eventsOfBoots(boots: readonly string[]): BootEvent[] {
    this.#db.flush()
    return this.#events.ofBoots(boots)
  }

  latestBoots(): Boot[] {
    return this.#events.latestBoots()
  }

  strangerBoots(before: number, limit: number): (Boot & { readonly number: number })[] {
    return this.#events.strangerBoots(before, limit)
  }

  forgetStrangers(macs: readonly string[], upTo: number): Promise<void> {
    return this.#db.together(() => this.#events.forgetStrangers(macs, upTo), { patient: 'very' })
  }

  trimStrangers(before: number, limit: number): Promise<boolean> {
    return this.#db.together(() => this.#events.trimStrangers(before, limit), { patient: true })
  }

  bootsOf(known: { readonly machine?: string; readonly macs: readonly string[] }, limit: number): Boot[] {
    this.#db.flush()
    return this.#events.bootsOf(known, limit)
  }

  counters(): { readonly event: number; readonly boot: number } {
    return this.#events.counters()
  }

  newestEvent(): number | undefined {
    this.#db.flush()
    return this.#events.newest()
  }

  prune(before: number, share = 1): void {
    this.#db.atOnce(() => {
      this.#events.prune(before, share)
      this.#objectTable.prune(before, share)
      this.#audit.prune(before, share)
      this.#run(
        // The token of a machine that runs is what it renews its certificates with, for as long as it runs.
        `DELETE FROM tokens WHERE until < ? AND hash NOT IN (
           SELECT token FROM machine_boots WHERE token IS NOT NULL)`,
        before,
      )
    })
  }

  /** Makes a commit that changes nothing; throws what a write would. */
  tryWrite(): void {
    this.#db.tryWrite()
  }

  close(): void {
    this.#db.close()
  }

  #run(sql: string, ...values: unknown[]) {
    return this.#db.run(sql, ...values)
  }

  #all<Row>(sql: string, ...values: unknown[]): Row[] {
    return this.#db.all<Row>(sql, ...values)
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
