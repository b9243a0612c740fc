// The store in one SQLite file: write-ahead log, every commit on disk before it is acknowledged.

import type { BootEvent } from '#model/boot.ts'
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
import type { MachineRecords } from './machine-records.ts'
import type { AuthorityStore, BundleStore } from './secrets.ts'
import { StoredMachineRecords } from './sqlite/machine-records.ts'
import { StoredSecrets } from './sqlite/secrets.ts'
import type { Boot, Store } from './store.ts'
import { TokenTable } from './token-table.ts'

/** The store in one file. */
export class SqliteStore implements Store {
  readonly objects: ObjectStore
  readonly leases: LeaseStore
  readonly alarms: AlarmStore
  readonly audit: AuditStore
  readonly secrets: BundleStore & AuthorityStore
  readonly machines: MachineRecords
  readonly #db: Database
  readonly #objectTable: ObjectTable
  readonly #audit: StoredAudit
  readonly #events: EventTable
  readonly #tokens: TokenTable

  /**
   * Opens the store at `path` (`:memory:` for tests), makes it when it is not there, and brings its schema up to date.
   *
   * @param onFailure is called for what the disk did not take or give
   * @throws {NewerStore} when a newer Pilotlight wrote it; {BrokenState} when it is damaged, or when what is sealed in it
   *   does not open; {CannotWrite}
   */
  constructor(path: string, onFailure: (error: unknown) => void = () => {}) {
    this.#db = new Database(path, onFailure)
    this.#objectTable = new ObjectTable(this.#db)
    this.#audit = new StoredAudit(this.#db)
    this.objects = new StoredObjects(this.#db, this.#objectTable, this.#audit)
    this.#events = new EventTable(this.#db)
    this.#tokens = new TokenTable(this.#db)
    const sealed = new SealedTable(this.#db, path)
    const identities = new IdentityTable(this.#db)
    this.secrets = new StoredSecrets(this.#db, sealed)
    this.machines = new StoredMachineRecords(this.#db, { identities, tokens: this.#tokens, sealed })
    this.leases = new StoredLeases(this.#db)
    this.alarms = new StoredAlarms(this.#db)
    this.audit = this.#audit
  }

  append(boot: Boot, event: BootEvent, when: 'soon' | 'within a second' = 'soon'): Promise<void> {
    const patient = when === 'soon' ? true : 'very'
    return this.#db.together(() => this.#events.append(boot, event), { patient })
  }

  eventsAfter(id: number, filter: { readonly machine?: string; readonly limit: number }): BootEvent[] {
    this.#db.flush() // a reader sees all that was reported before it asked
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
      this.#tokens.prune(before)
    })
  }

  /** Makes a commit that changes nothing; throws what a write would. */
  tryWrite(): void {
    this.#db.tryWrite()
  }

  close(): void {
    this.#db.close()
  }
}
