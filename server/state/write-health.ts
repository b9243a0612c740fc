// Whether the state directory takes writes: those who write report failures, and it is tried again until it does.

import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { BrokenState, CannotWrite } from '../errors.ts'
import { causesOf, type Log } from '../log.ts'
import { diskErrorOf } from '../process/write-failure.ts'

/** How often a disk that took no write is tried again. */
const TRY_MS = 1000
/** What a try writes, and what has to be free: less than this and no commit is certain. */
const TRY_BYTES = 65_536

/** Why nothing can be kept now. */
export type WriteTrouble = {
  /** What is wrong: the disk takes no write, or the store is damaged. */
  readonly kind: 'disk' | 'store'
  /** For people, without a path: `the disk of the state directory is full`. */
  readonly reason: string
  /** Milliseconds of `performance.now()` when it began. */
  readonly since: number
}

/** The health of one state directory. */
export class WriteHealth {
  readonly #directory: string
  readonly #log: Log
  #tryStore: () => void = () => {}
  #trouble: WriteTrouble | undefined
  #damage: WriteTrouble | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0

  constructor(directory: string, log: Log) {
    this.#directory = directory
    this.#log = log
  }

  /** Has the store tried as well, once it is open: `write` throws when it takes no commit. */
  include(write: () => void): void {
    this.#tryStore = write
  }

  /** Why writes fail, or the store is damaged; undefined while all is well. Looks at the free space, which is cheap. */
  trouble(): WriteTrouble | undefined {
    if (this.#damage !== undefined) return this.#damage
    if (this.#trouble === undefined && this.freeBytes() < TRY_BYTES) {
      this.failed(new CannotWrite(this.#directory, 'full'))
    }
    return this.#trouble
  }

  /** Writes that failed since the start. */
  get failures(): number {
    return this.#failures
  }

  /** Bytes that this process may still write; without end where the file system does not say. */
  freeBytes(): number {
    try {
      const { bsize, bavail, bfree } = statfsSync(this.#directory)
      return bsize * (process.getuid?.() === 0 ? bfree : bavail)
    } catch {
      return Infinity // a write will show it
    }
  }

  /** Takes note of a write that failed; errors that the disk did not cause are ignored. */
  failed(error: unknown): void {
    const known = diskErrorOf(error, this.#directory)
    if (known === undefined) return
    this.#failures += 1
    if (known instanceof BrokenState) {
      if (this.#damage === undefined) this.#log('error', causesOf(known))
      this.#damage ??= { kind: 'store', reason: 'the store is damaged', since: performance.now() }
      return
    }
    if (this.#trouble !== undefined) return
    this.#log('error', `${causesOf(known)} Until then nothing is changed, and no machine gets an address.`)
    this.#trouble = { kind: 'disk', reason: known.reason, since: performance.now() }
    this.#timer = setTimeout(() => this.#try(), TRY_MS).unref()
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #try(): void {
    const trouble = this.#trouble
    if (trouble === undefined) return
    try {
      if (this.freeBytes() < TRY_BYTES) throw new CannotWrite(this.#directory, 'full')
      tryFile(join(this.#directory, 'try-write'))
      this.#tryStore()
    } catch (error) {
      this.#timer = setTimeout(() => this.#try(), TRY_MS).unref()
      const known = diskErrorOf(error, this.#directory)
      if (known instanceof CannotWrite) this.#trouble = { ...trouble, reason: known.reason }
      else this.failed(error)
      return
    }
    this.#trouble = undefined
    const seconds = Math.round((performance.now() - trouble.since) / 1000)
    this.#log('info', `The state directory takes writes again, after ${seconds} s.`)
  }
}

function tryFile(path: string): void {
  try {
    const file = openSync(path, 'w', 0o600)
    try {
      writeSync(file, new Uint8Array(TRY_BYTES))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } finally {
    rmSync(path, { force: true })
  }
}
