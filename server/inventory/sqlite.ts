// The store in one SQLite file: write-ahead log, every commit on disk before anybody is told.

import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import type { Lease, LeaseChange } from '../dhcp/leases.ts'
import { NewerStore, SiteConflict } from '../errors.ts'
import type { StoredSite } from './catalog.ts'
import type { BootEvent, BundleFile, SiteObjects } from './objects.ts'
import type { Boot, Store, TokenRecord } from './store.ts'

/** How long boot events may wait for others to share their commit. */
const GROUP_MS = 20

const MIGRATIONS = new URL('migrations/', import.meta.url)

/** The store in one file. */
export class SqliteStore implements Store {
  readonly #db: Database.Database
  readonly #path: string
  #waiting: {
    readonly work: () => void
    readonly done: () => void
    readonly fail: (error: unknown) => void
  }[] = []
  #timer: NodeJS.Timeout | undefined
  readonly #prepared = new Map<string, Database.Statement>()

  /**
   * Opens the store at `path` (`:memory:` for tests), makes it when it is not there, and brings its schema up to date.
   *
   * @throws {NewerStore} when a newer Pilotlight wrote it
   */
  constructor(path: string) {
    this.#path = path
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    this.#db = new Database(path)
    if (path !== ':memory:') chmodSync(path, 0o600) // it holds the machines' bundles
    this.#db.pragma('journal_mode = WAL')
    this.#db.pragma('synchronous = FULL')
    this.#db.pragma('foreign_keys = ON')
    this.#db.pragma('busy_timeout = 5000')
    this.#migrate()
  }

  sites(): StoredSite[] {
    return this.#all<{ name: string; network: string }>('SELECT name, network FROM sites ORDER BY name').map(
      ({ name, network }) => ({ name, objects: { network: JSON.parse(network), ...this.#objectsOf(name) } }),
    )
  }

  putSite(name: string, objects: SiteObjects): boolean {
    const before = this.sites().find(site => site.name === name)
    if (before !== undefined && canonical(before.objects) === canonical(objects)) return false
    this.#db.transaction(() => {
      this.#run('DELETE FROM sites WHERE name = ?', name)
      this.#refuseConflicts(name, objects)
      this.#run('INSERT INTO sites (name, network) VALUES (?, ?)', name, JSON.stringify(objects.network))
      for (const [at, machine] of objects.machines.entries()) {
        this.#run(
          'INSERT INTO machines (name, site, position, address, object) VALUES (?, ?, ?, ?, ?)',
          machine.name,
          name,
          at,
          machine.address,
          JSON.stringify(machine),
        )
        for (const mac of machine.macs) {
          this.#run('INSERT INTO machine_macs (mac, machine) VALUES (?, ?)', mac, machine.name)
        }
      }
      for (const kind of ['profiles', 'groups'] as const) {
        for (const [at, object] of objects[kind].entries()) {
          this.#run(
            `INSERT INTO ${kind} (id, site, position, object) VALUES (?, ?, ?, ?)`,
            object.id,
            name,
            at,
            JSON.stringify(object),
          )
        }
      }
    })()
    return true
  }

  bundle(machine: string): BundleFile[] | undefined {
    const [row] = this.#all<{ files: string }>('SELECT files FROM bundles WHERE machine = ?', machine)
    return row && (JSON.parse(row.files) as BundleFile[])
  }

  putBundle(machine: string, files: readonly BundleFile[]): boolean {
    const text = JSON.stringify(files)
    const { changes } = this.#run(
      `INSERT INTO bundles (machine, files) VALUES (?, ?)
       ON CONFLICT (machine) DO UPDATE SET files = excluded.files WHERE files <> excluded.files`,
      machine,
      text,
    )
    return changes > 0
  }

  addToken({ hash, machine, boot, until }: TokenRecord): void {
    this.#run(
      'INSERT INTO tokens (hash, machine, boot, until) VALUES (?, ?, ?, ?)',
      hash,
      machine,
      boot,
      until,
    )
  }

  token(hash: string): TokenRecord | undefined {
    type Row = { hash: string; machine: string; boot: string; until: number; used_at: number | null }
    const [row] = this.#all<Row>('SELECT * FROM tokens WHERE hash = ?', hash)
    if (row === undefined) return undefined
    const { used_at: usedAt, ...token } = row
    return usedAt === null ? token : { ...token, usedAt }
  }

  burnToken(hash: string, at: number): boolean {
    return this.#run('UPDATE tokens SET used_at = ? WHERE hash = ? AND used_at IS NULL', at, hash).changes > 0
  }

  append(boot: Boot, event: BootEvent): Promise<void> {
    return this.#together(() => {
      this.#run(
        `INSERT INTO boots (number, id, mac, machine, began) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (number) DO UPDATE SET machine = excluded.machine WHERE machine IS NOT excluded.machine`,
        numberOf(boot.id),
        boot.id,
        boot.mac,
        boot.machine ?? null,
        boot.began,
      )
      this.#run(
        'INSERT INTO events (id, at, boot, mac, machine, layer, kind, text, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        event.id,
        event.at,
        event.boot,
        event.mac,
        event.machine ?? null,
        event.layer,
        event.kind,
        event.text,
        JSON.stringify(event.detail),
      )
    })
  }

  eventsAfter(id: number, { machine, limit }: { machine?: string; limit: number }): BootEvent[] {
    this.#commit() // a reader sees all that was told before it asked
    const rows =
      machine === undefined
        ? this.#all<EventRow>('SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?', id, limit)
        : this.#all<EventRow>(
            'SELECT * FROM events WHERE id > ? AND (machine = ? OR mac = ?) ORDER BY id LIMIT ?',
            id,
            machine,
            machine,
            limit,
          )
    return rows.map(eventOf)
  }

  eventsOf(boot: string): BootEvent[] {
    this.#commit() // a reader sees all that was told before it asked
    return this.#all<EventRow>('SELECT * FROM events WHERE boot = ? ORDER BY id', boot).map(eventOf)
  }

  latestBoots(): Boot[] {
    return this.#all<BootRow>(
      `SELECT * FROM boots WHERE number IN (
         SELECT max(number) FROM boots GROUP BY mac
         UNION SELECT max(number) FROM boots WHERE machine IS NOT NULL GROUP BY machine)
       ORDER BY number`,
    ).map(bootOf)
  }

  bootsOf({ machine, macs }: { machine?: string; macs: readonly string[] }, limit: number): Boot[] {
    this.#commit()
    return this.#all<BootRow>(
      `SELECT * FROM boots WHERE machine = ? OR mac IN (SELECT value FROM json_each(?))
       ORDER BY number DESC LIMIT ?`,
      machine ?? null,
      JSON.stringify(macs),
      limit,
    ).map(bootOf)
  }

  counters(): { event: number; boot: number } {
    const [row] = this.#all<{ event: number; boot: number }>(
      'SELECT (SELECT coalesce(max(id), 0) FROM events) AS event, (SELECT coalesce(max(number), 0) FROM boots) AS boot',
    )
    return row ?? { event: 0, boot: 0 }
  }

  prune(before: number): void {
    this.#db.transaction(() => {
      // The newest boot stays, so that its number is never given twice.
      this.#run('DELETE FROM boots WHERE began < ? AND number < (SELECT max(number) FROM boots)', before)
      this.#run(
        `DELETE FROM events WHERE at < ? AND boot NOT IN (SELECT id FROM boots)
         AND id < (SELECT max(id) FROM events)`,
        before,
      )
      this.#run('DELETE FROM tokens WHERE until < ?', before)
    })()
  }

  leases(): Lease[] {
    return this.#all<LeaseRow>('SELECT * FROM leases').map(({ expires_at: expiresAt, uuid, ...lease }) => ({
      ...lease,
      expiresAt,
      ...(uuid === null ? {} : { uuid }),
    }))
  }

  changeLeases(changes: readonly LeaseChange[]): void {
    this.#commit(() => {
      for (const change of changes) {
        if (change.kind === 'drop') this.#run('DELETE FROM leases WHERE address = ?', change.address)
        else {
          const { address, mac, state, expiresAt, uuid } = change.lease
          this.#run(
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

  close(): void {
    this.#commit()
    this.#db.close()
  }

  /**
   * Group commit: work that nobody waits for at once shares a transaction, and so one wait for the disk. Work that
   * throws is undone alone.
   */
  #together(work: () => void): Promise<void> {
    return new Promise((done, fail) => {
      this.#waiting.push({ work, done, fail })
      this.#timer ??= setTimeout(() => this.#commit(), GROUP_MS)
    })
  }

  /** Commits what waits, and `now` in the same transaction; throws when `now` cannot be kept. */
  #commit(now?: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = this.#waiting
    this.#waiting = []
    if (batch.length === 0 && now === undefined) return
    const settled: (() => void)[] = []
    try {
      this.#db.transaction(() => {
        now?.()
        for (const { work, done, fail } of batch) {
          try {
            this.#db.transaction(work)() // nested, so a savepoint
            settled.push(done)
          } catch (error) {
            settled.push(() => fail(error))
          }
        }
      })()
    } catch (error) {
      for (const { fail } of batch) fail(error)
      if (now !== undefined) throw error
      return
    }
    for (const settle of settled) settle()
  }

  #objectsOf(site: string): Omit<SiteObjects, 'network'> {
    const objects = (table: 'machines' | 'profiles' | 'groups') =>
      this.#all<{ object: string }>(`SELECT object FROM ${table} WHERE site = ? ORDER BY position`, site).map(
        row => JSON.parse(row.object) as never, // written by putSite from the type of its column
      )
    return { machines: objects('machines'), profiles: objects('profiles'), groups: objects('groups') }
  }

  #refuseConflicts(site: string, { machines, profiles, groups }: SiteObjects): void {
    const refuse = (what: string, id: string, sql: string) => {
      const [owner] = this.#all<{ site: string }>(sql, id)
      if (owner !== undefined) throw new SiteConflict(what, id, site, owner.site)
    }
    for (const machine of machines) {
      refuse('machine', machine.name, 'SELECT site FROM machines WHERE name = ?')
      refuse('address', machine.address, 'SELECT site FROM machines WHERE address = ?')
      for (const mac of machine.macs) {
        refuse('MAC', mac, 'SELECT site FROM machine_macs JOIN machines ON name = machine WHERE mac = ?')
      }
    }
    for (const { id } of profiles) refuse('profile', id, 'SELECT site FROM profiles WHERE id = ?')
    for (const { id } of groups) refuse('group', id, 'SELECT site FROM groups WHERE id = ?')
  }

  #migrate(): void {
    const scripts = readdirSync(MIGRATIONS)
      .filter(name => name.endsWith('.sql'))
      .toSorted()
    const version = this.#db.pragma('user_version', { simple: true }) as number
    if (version > scripts.length) throw new NewerStore(this.#path, version, scripts.length)
    for (const [at, script] of scripts.entries()) {
      if (at < version) continue
      this.#db.transaction(() => {
        this.#db.exec(readFileSync(new URL(script, MIGRATIONS), 'utf8'))
        this.#db.pragma(`user_version = ${at + 1}`)
      })()
    }
  }

  #prepare(sql: string): Database.Statement {
    const statement = this.#prepared.get(sql) ?? this.#db.prepare(sql)
    this.#prepared.set(sql, statement)
    return statement
  }

  #run(sql: string, ...values: unknown[]): Database.RunResult {
    return this.#prepare(sql).run(...values)
  }

  #all<Row>(sql: string, ...values: unknown[]): Row[] {
    return this.#prepare(sql).all(...values) as Row[]
  }
}

type LeaseRow = Omit<Lease, 'expiresAt' | 'uuid'> & { expires_at: number; uuid: string | null }
type BootRow = { number: number; id: string; mac: string; machine: string | null; began: number }
type EventRow = Omit<BootEvent, 'machine' | 'detail'> & { machine: string | null; detail: string }

function bootOf({ id, mac, machine, began }: BootRow): Boot {
  return { id, mac, ...(machine === null ? {} : { machine }), began }
}

function eventOf({ machine, detail, ...event }: EventRow): BootEvent {
  return {
    ...event,
    ...(machine === null ? {} : { machine }),
    detail: JSON.parse(detail) as BootEvent['detail'],
  }
}

function numberOf(boot: string): number {
  return Number.parseInt(boot.slice(2), 16)
}

/** JSON with sorted keys: equal objects give equal text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  )
}
