// The store in one SQLite file: write-ahead log, every commit on disk before it is acknowledged.

import type { AlarmStore } from '../alarms.ts'
import type { AuditStore } from '../audit.ts'
import type { LeaseStore } from '../leases.ts'
import { Database } from './database.ts'
import { EventTable } from './event-table.ts'
import { ObjectTable } from './object-table.ts'
import type { ObjectStore } from '../objects.ts'
import { StoredAlarms } from './alarms.ts'
import { StoredAudit } from './audit.ts'
import { StoredLeases } from './leases.ts'
import { StoredObjects } from './objects.ts'
import { IdentityTable } from './identity-table.ts'
import { InstallTable } from './install-table.ts'
import { SealedTable } from './sealed-table.ts'
import type { MachineRecords } from '../machine-records.ts'
import type { AuthorityStore, BundleStore } from '../secrets.ts'
import { StoredMachineRecords } from './machine-records.ts'
import { StoredSecrets } from './secrets.ts'
import type { EventStore, PrunedStore } from '../events.ts'
import { StoredEvents } from './events.ts'
import { TokenTable } from './token-table.ts'

/** The store in one file. */
export class SqliteStore implements PrunedStore {
  readonly objects: ObjectStore
  readonly leases: LeaseStore
  readonly events: EventStore
  readonly alarms: AlarmStore
  readonly audit: AuditStore
  readonly secrets: BundleStore & AuthorityStore
  readonly machines: MachineRecords
  readonly #db: Database
  readonly #objectTable: ObjectTable
  readonly #audit: StoredAudit
  readonly #eventTable: EventTable
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
    this.#eventTable = new EventTable(this.#db)
    this.events = new StoredEvents(this.#db, this.#eventTable)
    this.#tokens = new TokenTable(this.#db)
    const sealed = new SealedTable(this.#db, path)
    const identities = new IdentityTable(this.#db)
    this.secrets = new StoredSecrets(this.#db, sealed)
    this.machines = new StoredMachineRecords(this.#db, {
      identities,
      tokens: this.#tokens,
      sealed,
      installs: new InstallTable(this.#db),
    })
    this.leases = new StoredLeases(this.#db)
    this.alarms = new StoredAlarms(this.#db)
    this.audit = this.#audit
  }

  async newestEvent(): Promise<number | undefined> {
    this.#db.flush()
    return this.#eventTable.newest()
  }

  async prune(before: number, share = 1): Promise<void> {
    this.#db.atOnce(() => {
      this.#eventTable.prune(before, share)
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
