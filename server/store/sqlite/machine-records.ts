// What is kept of each machine in SQLite: a step on it is a transaction, in one commit with others.

import type { MachineKey } from '#model/machine-key.ts'
import type { Database } from './database.ts'
import type { IdentityTable } from './identity-table.ts'
import type { InstallTable } from './install-table.ts'
import type {
  ChangingRecord,
  DiskKey,
  DiskRecord,
  Install,
  KeptOrder,
  MachineBoot,
  MachineRecord,
  MachineRecords,
  Recipient,
  RecordFollower,
  Reopening,
  Signing,
  TokenRecord,
} from '../machine-records.ts'
import type { SealedTable } from './sealed-table.ts'
import type { TokenTable } from './token-table.ts'

type Tables = {
  readonly identities: IdentityTable
  readonly tokens: TokenTable
  readonly sealed: SealedTable
  readonly installs: InstallTable
}

/** The tables of boots, tokens, keys, reopenings, signings, installs and orders; and the sealed keys of disks. */
export class StoredMachineRecords implements MachineRecords {
  readonly #db: Database
  readonly #tables: Tables
  #follower: Omit<RecordFollower, 'begin'> = {
    used: () => {},
    reopened: () => {},
    disk: () => {},
  }

  constructor(db: Database, tables: Tables) {
    this.#db = db
    this.#tables = tables
  }

  async change<T>(machine: string, step: (record: ChangingRecord) => T): Promise<T> {
    const { result } = await this.#db.together(
      () => {
        const record = new StoredRecord(this.#tables, machine)
        return { result: step(record), record }
      },
      { committed: ({ record }) => this.#notify(record) },
    )
    return result
  }

  async read<T>(machine: string, look: (record: MachineRecord) => T): Promise<T> {
    return look(new StoredRecord(this.#tables, machine))
  }

  async token(hash: string): Promise<TokenRecord | undefined> {
    return this.#tables.tokens.one(hash)
  }

  async keys(machine?: string): Promise<MachineKey[]> {
    return this.#tables.identities.keys(machine)
  }

  async signings(): Promise<Map<string, Signing>> {
    return new Map(this.#tables.sealed.all('signing') as [string, Signing][]) // as putSigning wrote them
  }

  async follow(follower: RecordFollower): Promise<void> {
    this.#db.flush()
    this.#follower = follower
    const { identities, installs } = this.#tables
    const disks = new Map<string, DiskRecord>()
    for (const [machine, own] of Map.groupBy(installs.installs(), it => it.machine))
      disks.set(machine, { installs: own })
    for (const order of installs.orders())
      disks.set(order.machine, { installs: disks.get(order.machine)?.installs ?? [], order })
    follower.begin({ used: identities.lastUsedBoots(), reopened: identities.reopenings(), disks })
  }

  #notify(record: StoredRecord): void {
    const used = record.isUsedChanged ? record.lastUsedBoot() : undefined
    if (used !== undefined) this.#follower.used(used)
    if (record.isReopenedChanged) this.#follower.reopened(record.machine, record.reopening())
    if (record.isDiskChanged) this.#follower.disk(record.machine, record.disk())
  }
}

/** What is kept of one machine, inside a transaction. */
class StoredRecord implements ChangingRecord {
  readonly machine: string
  readonly #tables: Tables
  isUsedChanged = false
  isReopenedChanged = false
  isDiskChanged = false

  constructor(tables: Tables, machine: string) {
    this.#tables = tables
    this.machine = machine
  }

  boot(id: string): MachineBoot | undefined {
    return this.#tables.identities.boot(this.machine, id)
  }

  lastUsedBoot(): MachineBoot | undefined {
    return this.#tables.identities.lastUsedBoot(this.machine)
  }

  token(hash: string): TokenRecord | undefined {
    const token = this.#tables.tokens.one(hash)
    return token?.machine === this.machine ? token : undefined
  }

  tokensOf(boot: string): TokenRecord[] {
    return this.#tables.tokens.ofBoot(this.machine, boot)
  }

  keys(): MachineKey[] {
    return this.#tables.identities.keys(this.machine)
  }

  otherOwner(fingerprint: string): string | undefined {
    return this.#tables.identities.otherOwner(this.machine, fingerprint)
  }

  reopening(): Reopening | undefined {
    return this.#tables.identities.reopenings(this.machine)[0]
  }

  isReopened(boot: string): boolean {
    return this.#tables.identities.isReopened(this.machine, boot)
  }

  disk(): DiskRecord {
    const { installs } = this.#tables
    const [order] = installs.orders(this.machine)
    return { installs: installs.installs(this.machine), ...(order && { order }) }
  }

  diskKeys(): readonly DiskKey[] {
    return (this.#tables.sealed.read('disk', this.machine) as DiskKey[] | undefined) ?? [] // as putDiskKeys wrote them
  }

  putDiskKeys(keys: readonly DiskKey[]): void {
    this.#tables.sealed.write('disk', this.machine, keys)
  }

  putBoot(boot: MachineBoot): void {
    this.#tables.identities.putBoot(boot)
    if (boot.token !== undefined) this.isUsedChanged = true
  }

  spend(boot: string, at: number, to?: Recipient): boolean {
    this.isUsedChanged = true
    return this.#tables.identities.spendBoot(this.machine, boot, at, to)
  }

  addToken(token: TokenRecord, of: MachineBoot): void {
    this.#tables.tokens.add(token, of.tokens)
    this.putBoot(of)
  }

  useToken(hash: string, at: number): void {
    this.#tables.tokens.use(hash, at)
  }

  forgetToken(hash: string): void {
    this.#tables.tokens.forget(hash)
  }

  putKey(key: MachineKey): void {
    this.#tables.identities.putKey(key)
  }

  reopen(reopening: Reopening): void {
    this.isReopenedChanged = true
    this.#tables.identities.reopen(reopening)
  }

  closeReopened(boot?: string): void {
    this.isReopenedChanged = true
    this.#tables.identities.closeReopened(this.machine, boot)
  }

  putSigning(signing: Signing): void {
    this.#tables.sealed.write('signing', this.machine, signing)
  }

  reopenFor(boot: string, reopening: Reopening): void {
    this.isReopenedChanged = true
    this.#tables.identities.reopen(reopening, boot)
  }

  putInstall(install: Install): void {
    this.isDiskChanged = true
    this.#tables.installs.put(install)
  }

  confirmInstall(boot: string, at: number): void {
    const install = this.#tables.installs.installs(this.machine).find(it => it.boot === boot)
    if (install?.installedAt !== undefined && install.confirmedAt === undefined)
      this.putInstall({ ...install, confirmedAt: at })
  }

  forgetInstalls(): void {
    this.isDiskChanged = true
    this.#tables.installs.forget(this.machine)
  }

  putOrder(order: KeptOrder): void {
    this.isDiskChanged = true
    this.#tables.installs.putOrder(order)
  }

  endOrder(): void {
    this.isDiskChanged = true
    this.#tables.installs.endOrder(this.machine)
  }
}
