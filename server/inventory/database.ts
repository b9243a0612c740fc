// One SQLite file: write-ahead log, a schema that is brought up to date, and commits that several writers share.

import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import Sqlite from 'better-sqlite3'
import { makeDirectory } from '#host/make-directory.ts'
import { BrokenState, NewerStore } from '../errors.ts'

/** How long work that nobody waits for may wait for other work to share its commit. */
const PATIENT_MS = 20

const MIGRATIONS = new URL('migrations/', import.meta.url)

type Work = {
  readonly run: () => void
  readonly done: () => void
  readonly fail: (error: unknown) => void
}

/** The file, its statements, and the group commit. */
export class Database {
  readonly #sqlite: Sqlite.Database
  readonly #path: string
  readonly #prepared = new Map<string, Sqlite.Statement>()
  #waiting: Work[] = []
  #timer: NodeJS.Timeout | undefined
  #soon: NodeJS.Immediate | undefined

  /**
   * Opens the file at `path` (`:memory:` for tests), makes it when it is not there, and brings its schema up to date.
   *
   * @throws {NewerStore} when a newer Pilotlight wrote it; {BrokenState} when it is no store; {CannotMakeDirectory}
   */
  constructor(path: string) {
    this.#path = path
    this.#sqlite = openFile(path)
    this.#migrate()
  }

  /** Runs a statement that changes something. */
  run(sql: string, ...values: unknown[]): Sqlite.RunResult {
    return this.#prepare(sql).run(...values)
  }

  /** All rows of a query. `Row` is what its columns are, by the schema. */
  all<Row>(sql: string, ...values: unknown[]): Row[] {
    return this.#prepare(sql).all(...values) as Row[]
  }

  /** The rows of a query one by one, for tables that are large; nothing else can be asked meanwhile. */
  each<Row>(sql: string, ...values: unknown[]): IterableIterator<Row> {
    return this.#prepare(sql).iterate(...values) as IterableIterator<Row>
  }

  /**
   * Does `work` in a transaction that it shares with other work, and so one wait for the disk; resolves once that is
   * over. Work that throws is undone alone. `patient` work waits some milliseconds for more to come, other work only
   * until the requests of this turn of the event loop have said what they want. `committed` hears of the result in the
   * order of the commits, before anybody else can write.
   */
  together<T>(
    work: () => T,
    { patient = false, committed }: { patient?: boolean; committed?: (result: T) => void } = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T
      this.#waiting.push({
        run: () => void (result = work()),
        done: () => {
          committed?.(result) // it has run
          resolve(result)
        },
        fail: reject,
      })
      if (patient) this.#timer ??= setTimeout(() => this.flush(), PATIENT_MS)
      else this.#soon ??= setImmediate(() => this.flush())
    })
  }

  /** Does `work` in a transaction of now, after all that waits; it is on disk when this returns. */
  atOnce<T>(work: () => T): T {
    this.#commitWaiting(undefined)
    return this.#sqlite.transaction(work)()
  }

  /** Does `work` in the same transaction as all that waits; it is on disk when this returns. */
  withWaiting(work: () => void): void {
    this.#commitWaiting(work)
  }

  /** Commits what waits. */
  flush(): void {
    this.#commitWaiting(undefined)
  }

  /** Does `work` inside the transaction that runs, and undoes it alone when it throws. */
  nested<T>(work: () => T): T {
    return this.#sqlite.transaction(work)()
  }

  close(): void {
    this.flush()
    this.#sqlite.close()
  }

  /** Commits what waits, and `now` before it in the same transaction; throws when `now` cannot be kept. */
  #commitWaiting(now: (() => void) | undefined): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#soon)
    this.#timer = undefined
    this.#soon = undefined
    const batch = this.#waiting
    this.#waiting = []
    if (batch.length === 0 && now === undefined) return
    let failed = new Map<Work, unknown>()
    try {
      try {
        this.#sqlite.transaction(() => {
          now?.()
          for (const { run } of batch) run()
        })()
      } catch {
        // Somebody's work cannot be kept. Once more, each with a savepoint of its own, which costs more.
        failed = this.#commitEach(now, batch)
      }
    } catch (error) {
      for (const { fail } of batch) fail(error)
      if (now !== undefined) throw error
      return
    }
    for (const work of batch) {
      if (failed.has(work)) work.fail(failed.get(work))
      else work.done()
    }
  }

  #commitEach(now: (() => void) | undefined, batch: readonly Work[]): Map<Work, unknown> {
    const failed = new Map<Work, unknown>()
    this.#sqlite.transaction(() => {
      now?.()
      for (const work of batch) {
        try {
          this.nested(work.run)
        } catch (error) {
          failed.set(work, error)
        }
      }
    })()
    return failed
  }

  #migrate(): void {
    const scripts = readdirSync(MIGRATIONS)
      .filter(name => name.endsWith('.sql'))
      .toSorted()
    const version = this.#sqlite.pragma('user_version', { simple: true }) as number // SQLite's own, an integer
    if (version > scripts.length) throw new NewerStore(this.#path, version, scripts.length)
    for (const [at, script] of scripts.entries()) {
      if (at < version) continue
      this.#sqlite.transaction(() => {
        this.#sqlite.exec(readFileSync(new URL(script, MIGRATIONS), 'utf8'))
        this.#sqlite.pragma(`user_version = ${at + 1}`)
      })()
    }
  }

  #prepare(sql: string): Sqlite.Statement {
    const statement = this.#prepared.get(sql) ?? this.#sqlite.prepare(sql)
    this.#prepared.set(sql, statement)
    return statement
  }
}

/** The file, which keeps what was committed even when the power fails. */
function openFile(path: string): Sqlite.Database {
  if (path !== ':memory:') makeDirectory(dirname(path), { mode: 0o700 })
  try {
    const sqlite = new Sqlite(path)
    if (path !== ':memory:') chmodSync(path, 0o600) // it holds the machines' bundles
    sqlite.pragma('journal_mode = WAL')
    sqlite.pragma('synchronous = FULL')
    sqlite.pragma('foreign_keys = ON')
    sqlite.pragma('busy_timeout = 5000')
    return sqlite
  } catch (cause) {
    const mend = 'Restore it from a backup with its -wal, see to its rights, or name another state-path.'
    throw new BrokenState(path, `cannot be opened as the store: ${(cause as Error).message}`, mend, { cause }) // of SQLite or node:fs
  }
}
