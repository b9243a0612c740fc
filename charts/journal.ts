// What the chart stage has done, a line each, on disk before the next thing happens: so that a run that was killed
// at any moment is told apart from one that ended, and the next one goes on.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** How far a release is. */
export type Phase = 'planned' | 'applying' | 'gated' | 'done' | 'failed'

/** One line. */
export type JournalEntry = {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly release: string
  readonly phase: Phase
  /** The cluster that this was done to: the UID of its kube-system namespace. */
  readonly cluster: string
  /** Of the chart and its values. */
  readonly hash: string
  /** Helm's revision, from `gated` on. */
  readonly revision?: number
  /** Why it failed. */
  readonly cause?: string
}

/** The last line of each release, by its name. */
export type JournalState = ReadonlyMap<string, JournalEntry>

/** Reads a journal's text. A last line that was cut off by a crash is left out. */
export function readJournal(text: string): JournalState {
  const state = new Map<string, JournalEntry>()
  for (const line of text.split('\n')) {
    const entry = entryOf(line)
    if (entry) state.set(entry.release, entry)
  }
  return state
}

/**
 * Whether a release need not be installed again: its last installation, of this very chart and these values, in this
 * cluster, got through, and Helm still has that revision as the deployed one.
 */
export function isApplied(
  entry: JournalEntry | undefined,
  wanted: { readonly cluster: string; readonly hash: string },
  deployedRevision: number | undefined,
): boolean {
  return (
    entry !== undefined &&
    entry.cluster === wanted.cluster &&
    entry.hash === wanted.hash &&
    entry.revision !== undefined &&
    entry.revision === deployedRevision
  )
}

/** The journal of a state directory. */
export class Journal {
  readonly #path: string
  readonly #file: number
  readonly #state: Map<string, JournalEntry>

  /** Opens it, making it if there is none; what later lines overtook is dropped. */
  constructor(stateDirectory: string) {
    this.#path = join(stateDirectory, 'openstack-journal.jsonl')
    this.#state = new Map(readJournal(this.#read()))
    const lines = [...this.#state.values()].map(entry => `${JSON.stringify(entry)}\n`).join('')
    writeFileSync(`${this.#path}.tmp`, lines, { flush: true })
    renameSync(`${this.#path}.tmp`, this.#path)
    this.#file = openSync(this.#path, 'a')
  }

  /** The last line of a release. */
  last(release: string): JournalEntry | undefined {
    return this.#state.get(release)
  }

  /** Writes a line; it is on disk when this returns. */
  write(entry: JournalEntry): void {
    writeSync(this.#file, `${JSON.stringify(entry)}\n`)
    fsyncSync(this.#file)
    this.#state.set(entry.release, entry)
  }

  close(): void {
    closeSync(this.#file)
  }

  #read(): string {
    try {
      return readFileSync(this.#path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '' // fs throws nothing else
      throw error
    }
  }
}

function entryOf(line: string): JournalEntry | undefined {
  try {
    const read: unknown = JSON.parse(line)
    const isEntry = typeof read === 'object' && read !== null && 'release' in read && 'phase' in read
    return isEntry ? (read as JournalEntry) : undefined // as write() put it there
  } catch {
    return undefined
  }
}
