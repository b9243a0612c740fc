// One SQLite file: write-ahead log, a schema that is brought up to date, and commits that several writers share.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type Sqlite from 'better-sqlite3'
import { makeDirectory } from '#host/make-directory.ts'
import { openDatabase } from '#host/sqlite.ts'
import { BrokenState, CannotWrite, NewerStore } from '../../errors.ts'
import { diskErrorOf, RESTORE } from '../../process/write-failure.ts'

/** Milliseconds that work without a waiting caller may wait for other work to share its commit. */
const PATIENT_MS = 20
/** The same for work of a flood, so that it costs few waits for the disk. */
const VERY_PATIENT_MS = 1000
/** How much of that joins a commit of others, and how much one commit of such work holds. */
const LAZY_WITH_OTHERS = 20
const LAZY_AT_ONCE = 200

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
  readonly #onFailure: (error: unknown) => void
  readonly #onUndone: (() => void)[] = []
  #waiting: Work[] = []
  /** Very patient work: a few of it join each commit that others ask for. */
  #lazy: Work[] = []
  #timer: NodeJS.Timeout | undefined
  #timerAt = 0
  #soon: NodeJS.Immediate | undefined

  /**
   * Opens the file at `path` (`:memory:` for tests), makes it when it is not there, and brings its schema up to date.
   *
   * @param onFailure is called for what the disk did not take or give
   * @throws {NewerStore} when a newer Pilotlight wrote it; {BrokenState} when it is not a store, or damaged; {CannotWrite};
   *   {CannotMakeDirectory}
   */
  constructor(path: string, onFailure: (error: unknown) => void = () => {}) {
    this.#path = path
    this.#onFailure = onFailure
    this.#sqlite = openFile(path)
    try {
      if (path !== ':memory:' && bytesOf(path) <= CHECKED_BYTES) checkPages(this.#sqlite, path)
      this.#disk(() => this.#migrate())
    } catch (error) {
      this.#sqlite.close()
      throw error
    }
  }

  /** Calls `undone` when shared work was undone, all of it or some: what was noted while it ran may not be so. */
  whenUndone(undone: () => void): void {
    this.#onUndone.push(undone)
  }

  /** Runs a statement that changes something. */
  run(sql: string, ...values: unknown[]): Sqlite.RunResult {
    try {
      return this.#prepare(sql).run(...values)
    } catch (error) {
      throw this.#diskError(error)
    }
  }

  /** All rows of a query. `Row` is what its columns are, by the schema. */
  all<Row>(sql: string, ...values: unknown[]): Row[] {
    try {
      return this.#prepare(sql).all(...values) as Row[]
    } catch (error) {
      throw this.#diskError(error)
    }
  }

  /** Makes a commit that changes nothing, to see whether the disk takes one. */
  tryWrite(): void {
    const version = this.#sqlite.pragma('user_version', { simple: true }) as number // SQLite's own, an integer
    this.#disk(() => this.#sqlite.pragma(`user_version = ${version}`))
  }

  /** The rows of a query one by one, for tables that are large; nothing else can be asked meanwhile. */
  *each<Row>(sql: string, ...values: unknown[]): IterableIterator<Row> {
    try {
      yield* this.#prepare(sql).iterate(...values) as IterableIterator<Row>
    } catch (error) {
      throw this.#diskError(error)
    }
  }

  /**
   * Does `work` in a transaction that it shares with other work, and so one wait for the disk; resolves once that is
   * over. Work that throws is undone alone. `patient` work waits some milliseconds for more to come, `very` patient work a second, other work only
   * until the requests of this turn of the event loop have said what they want. `committed` gets the result in the
   * order of the commits, before any other work can write.
   */
  together<T>(
    work: () => T,
    { patient = false, committed }: { patient?: boolean | 'very'; committed?: (result: T) => void } = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T
      const place = patient === 'very' ? this.#lazy : this.#waiting
      place.push({
        run: () => void (result = work()),
        done: () => {
          committed?.(result) // it has run
          resolve(result)
        },
        fail: reject,
      })
      if (patient) this.#flushWithin(patient === 'very' ? VERY_PATIENT_MS : PATIENT_MS)
      else this.#soon ??= setImmediate(() => this.#commitWaiting(undefined, LAZY_WITH_OTHERS))
    })
  }

  #flushWithin(milliseconds: number): void {
    const at = performance.now() + milliseconds
    if (this.#timer !== undefined && this.#timerAt <= at) return
    clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = setTimeout(() => this.#commitWaiting(undefined, LAZY_AT_ONCE), milliseconds)
  }

  /** Does `work` in a transaction of now, after all that waits; it is on disk when this returns. */
  atOnce<T>(work: () => T): T {
    this.#commitWaiting(undefined)
    return this.#disk(() => this.#sqlite.transaction(work)())
  }

  /** Does `work` in the same transaction as all that waits; it is on disk when this returns. */
  withWaiting(work: () => void): void {
    this.#commitWaiting(work, LAZY_WITH_OTHERS)
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
  #commitWaiting(now: (() => void) | undefined, lazy = Infinity): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#soon)
    this.#timer = undefined
    this.#soon = undefined
    const batch = [...this.#waiting, ...this.#lazy.splice(0, lazy)]
    this.#waiting = []
    if (this.#lazy.length > 0) this.#flushWithin(lazy === LAZY_AT_ONCE ? PATIENT_MS : VERY_PATIENT_MS)
    if (batch.length === 0 && now === undefined) return
    let failed = new Map<Work, unknown>()
    try {
      try {
        this.#sqlite.transaction(() => {
          now?.()
          for (const { run } of batch) run()
        })()
      } catch {
        this.#undone()
        // Some caller's work cannot be kept. Once more, each with its own savepoint, which costs more.
        failed = this.#commitEach(now, batch)
      }
    } catch (cause) {
      this.#undone()
      const error = this.#diskError(cause)
      for (const { fail } of batch) fail(error)
      if (now !== undefined) throw error
      return
    }
    for (const work of batch) {
      if (failed.has(work)) work.fail(failed.get(work))
      else work.done()
    }
  }

  #undone(): void {
    for (const undone of this.#onUndone) undone()
  }

  #commitEach(now: (() => void) | undefined, batch: readonly Work[]): Map<Work, unknown> {
    const failed = new Map<Work, unknown>()
    this.#sqlite.transaction(() => {
      now?.()
      for (const work of batch) {
        try {
          this.nested(work.run)
        } catch (error) {
          // A full disk ends the transaction as a whole: what comes after would be kept, and called failed.
          if (!this.#sqlite.inTransaction) throw error
          this.#undone()
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
    const step = this.#sqlite.transaction((at: number, script: string) => {
      this.#sqlite.exec(readFileSync(new URL(script, MIGRATIONS), 'utf8'))
      this.#sqlite.pragma(`user_version = ${at + 1}`)
    })
    // A new file has all of them in one transaction: it waits for the disk once.
    if (version === 0) {
      this.#sqlite.transaction(() => scripts.forEach((script, at) => step(at, script)))()
      return
    }
    for (const [at, script] of scripts.entries()) {
      if (at < version) continue
      if (script.endsWith('-sealed.sql')) this.#forgetClearBundles()
      step(at, script)
    }
  }

  /**
   * Bundles were in the file in clear: they go, then every page that is not in use, and the log. It comes before the script
   * that is done with them, so that a crash in between only means that it is done again.
   */
  #forgetClearBundles(): void {
    this.#sqlite.exec('DELETE FROM bundles')
    this.#sqlite.exec('VACUUM')
    this.#sqlite.pragma('wal_checkpoint(TRUNCATE)')
  }

  /** Gives what `work` gives; what the disk has against it is thrown as our own error. */
  #disk<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw this.#diskError(error)
    }
  }

  #diskError(error: unknown): unknown {
    const known = diskErrorOf(error, this.#path)
    if (known === undefined) return error
    if (known !== error) this.#onFailure(known) // once, where it is seen first
    return known
  }

  #prepare(sql: string): Sqlite.Statement {
    const statement = this.#prepared.get(sql) ?? this.#sqlite.prepare(sql)
    this.#prepared.set(sql, statement)
    return statement
  }
}

/** The file, which only its owner reads: tokens are in it as hashes and bundles sealed, but also who has which address. */
function openFile(path: string): Sqlite.Database {
  if (path !== ':memory:') makeDirectory(dirname(path), { mode: 0o700 })
  try {
    return openDatabase(path, 5000)
  } catch (cause) {
    const known = diskErrorOf(cause, path)
    if (known instanceof CannotWrite) throw known
    const remedy = `${RESTORE} See to its rights, or name another state-path.`
    throw new BrokenState(path, `cannot be opened as the store: ${(cause as Error).message}`, remedy, {
      cause,
    }) // of SQLite or node:fs
  }
}

/** The newest schema that this Pilotlight knows. */
export function knownSchema(): number {
  return readdirSync(MIGRATIONS).filter(name => name.endsWith('.sql')).length
}

/** Up to this size the file is checked before it is used, some milliseconds; a larger one is checked beside (`check.ts`). */
export const CHECKED_BYTES = 16 << 20

/**
 * Looks at every page of the store (`PRAGMA quick_check`).
 *
 * @throws {BrokenState} which names the file, the first damage and the way back
 */
export function checkPages(sqlite: Sqlite.Database, path: string): void {
  let found: string
  try {
    found = sqlite.pragma('quick_check(1)', { simple: true }) as string // SQLite's own: `ok`, or what is wrong
  } catch (cause) {
    throw diskErrorOf(cause, path) ?? cause
  }
  if (found !== 'ok') throw new BrokenState(path, `is damaged (${found.replaceAll('\n', ' ')})`, RESTORE)
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
