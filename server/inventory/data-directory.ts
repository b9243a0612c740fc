// A directory in Matchbox's layout (groups/*.json, profiles/*.json) as a read-only layer of the inventory: read at
// start, watched, and read again on change. A file that breaks keeps its last good version and is listed as a problem.

import { watch, type FSWatcher, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '#progress/wait.ts'
import { parseGroup, parseProfile } from './matchbox-files.ts'
import type { Group, Profile } from './objects.ts'

/** A file that cannot be used, and why. */
export type Problem = { readonly file: string; readonly reason: string }

/** What the directory holds now. */
export type DirectoryContent = {
  /** In the order of the file names. */
  readonly groups: readonly Group[]
  /** By file name without `.json`, below `profiles/`; the id inside may differ, as in Matchbox. */
  readonly profiles: ReadonlyMap<string, Profile>
  readonly problems: readonly Problem[]
}

/** Milliseconds that a change has to rest before the directory is read again: an editor writes in steps. */
const SETTLE_MS = 25

/** The directory as it is kept in memory. */
export class DataDirectory {
  readonly path: string
  readonly #kept = new Map<string, Kept>()
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #onChange: () => void
  #timer: NodeJS.Timeout | undefined
  #content: DirectoryContent

  /** Reads `path` and calls `onChange` whenever its content has been read anew. */
  constructor(path: string, onChange: () => void) {
    this.path = path
    this.#onChange = onChange
    this.#content = this.#read()
    this.#watchAll()
  }

  /** What was read last. */
  get content(): DirectoryContent {
    return this.#content
  }

  /** Reads the directory again, now. */
  reload(): void {
    this.#content = this.#read()
    this.#watchAll()
    this.#onChange()
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #read(): DirectoryContent {
    const problems: Problem[] = []
    const keep = <T>(file: string, parse: (text: string) => T): T | undefined => {
      const kept = this.#readFile(file, parse)
      if (kept.reason !== undefined) problems.push({ file, reason: kept.reason })
      return kept.value as T | undefined // each folder has one parser
    }
    // Matchbox strips whatever extension an entry has, and reads the stem's .json.
    const groups = namesIn(join(this.path, 'groups')).flatMap(name => {
      const group = keep(join('groups', `${stemOf(name)}.json`), parseGroup)
      return group === undefined ? [] : [group]
    })
    const profiles = new Map<string, Profile>()
    for (const name of filesBelow(join(this.path, 'profiles'))) {
      if (!name.endsWith('.json')) continue
      const profile = keep(join('profiles', name), parseProfile)
      if (profile !== undefined) profiles.set(stemOf(name), profile)
    }
    return { groups, profiles, problems }
  }

  #readFile(file: string, parse: (text: string) => unknown): Kept {
    const before = this.#kept.get(file)
    let stamp = ''
    let next: Kept
    try {
      const { mtimeMs, size, ino } = statSync(join(this.path, file))
      stamp = `${mtimeMs} ${size} ${ino}`
      if (before?.stamp === stamp) return before
      next = { stamp, value: parse(readFileSync(join(this.path, file), 'utf8')) }
    } catch (error) {
      const gone = (error as NodeJS.ErrnoException).code === 'ENOENT'
      next = { stamp, value: gone ? undefined : before?.value, reason: messageOf(error) }
    }
    this.#kept.set(file, next)
    return next
  }

  #watchAll(): void {
    this.#watch('', false)
    this.#watch('groups', false)
    this.#watch('profiles', true)
  }

  #watch(folder: string, recursive: boolean): void {
    if (this.#watchers.has(folder)) return
    try {
      const watcher = watch(join(this.path, folder), { recursive, persistent: false })
      this.#watchers.set(folder, watcher)
      watcher.on('change', (kind, name) => {
        if (folder === '' && name !== 'groups' && name !== 'profiles') return
        if (folder === '' && kind === 'rename') this.#forget(String(name))
        clearTimeout(this.#timer)
        this.#timer = setTimeout(() => this.reload(), SETTLE_MS)
      })
      watcher.on('error', () => this.#forget(folder)) // the folder went away; its parent's watcher tells of a new one
    } catch {
      // The folder is not there yet: the watcher of its parent will tell.
    }
  }

  #forget(folder: string): void {
    this.#watchers.get(folder)?.close()
    this.#watchers.delete(folder)
  }
}

type Kept = { readonly stamp: string; readonly value: unknown; readonly reason?: string }

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  } catch {
    return []
  }
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()
  } catch {
    return []
  }
}

function stemOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot < 0 || name.includes('/', dot) ? name : name.slice(0, dot)
}
