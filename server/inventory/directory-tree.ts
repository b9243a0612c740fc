// The files below some folders, watched: reports which of them may have changed, once they are no longer written. What no
// watch reports (a folder in place of another, files behind links or on another host's disk, events that the kernel
// dropped) is found by a look at the folders, and at some of the files, once a second.

import { lstatSync, readdirSync, statSync, watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

/** Milliseconds that changes have to rest before files are read: an editor writes in steps. */
const SETTLE_MS = 25

/** Milliseconds after which files are read although others keep changing. */
const LONGEST_MS = 400

/** Milliseconds between looks at everything, where the kernel has no watches left to give. */
const POLL_MS = 500

/** Milliseconds between looks for what no watch reports. */
const LOOK_MS = 1000

/** Files and folders of a look; the next look takes the next ones. */
const LOOKED_AT = 500

/** Milliseconds within which a second change may leave a file or a folder the time of the first. */
export const CLOCK_STEP_MS = 100

/** Watches the folders of `root`. Paths are relative to it. */
export class DirectoryTree {
  readonly #root: string
  readonly #folders: ReadonlyMap<string, { readonly deep: boolean }>
  readonly #onChange: (files: Iterable<string>) => void
  readonly #watchers = new Map<string, FSWatcher>()
  /** Files by folder, as last listed. */
  readonly #listed = new Map<string, Set<string>>()
  /** Every folder that was looked into, those in folders too, with what it was then; the root is ''. */
  readonly #stamps = new Map<string, Stamp>()
  /** Why folders could not be listed. */
  readonly #unlisted = new Map<string, string>()
  readonly #touched = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #poll: NodeJS.Timeout | undefined
  #firstTouch = 0
  readonly #looking: NodeJS.Timeout
  /** What is left of the files and folders to look at by turns. */
  #left: string[] = []
  #catchingUp: Promise<void> | undefined
  #settling: (() => void)[] = []

  /**
   * @param folders names in `root`, each with whether folders in it count too
   * @param onChange is called for files that may have changed, been added, or been removed
   */
  constructor(
    root: string,
    folders: ReadonlyMap<string, { readonly deep: boolean }>,
    onChange: (files: Iterable<string>) => void,
  ) {
    this.#root = root
    this.#folders = folders
    this.#onChange = onChange
    this.#watch('')
    this.#stamps.set('', this.#stampOf(''))
    for (const folder of folders.keys()) this.#list(folder)
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  /** All files of the folders. */
  *files(): Iterable<string> {
    for (const listed of this.#listed.values()) yield* listed
  }

  /** Folders that are there and could not be listed, with the reason; what was in them when they last could is kept. */
  get unlisted(): ReadonlyMap<string, string> {
    return this.#unlisted
  }

  /** Resolves once everything that is on disk by now was reported: at once, or when it is no longer written. */
  caughtUp(): Promise<void> {
    this.#catchingUp ??= this.#catchUp().finally(() => (this.#catchingUp = undefined))
    return this.#catchingUp
  }

  close(): void {
    clearTimeout(this.#timer)
    clearInterval(this.#poll)
    clearInterval(this.#looking)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
    this.#touched.clear()
    this.#rested()
  }

  async #catchUp(): Promise<void> {
    // What the kernel has to report arrives in the turn after the one that is running.
    await turn()
    await turn()
    this.#lookAtFolders(['', ...this.#folders.keys()])
    if (this.#touched.size > 0) await new Promise<void>(resolve => this.#settling.push(resolve))
  }

  #watch(folder: string): void {
    if (this.#watchers.has(folder)) return
    try {
      const watcher = watch(join(this.#root, folder), { persistent: false })
      this.#watchers.set(folder, watcher)
      watcher.on('change', (kind, name) =>
        this.#heard(folder, kind, name === null ? undefined : String(name)),
      )
      watcher.on('error', () => this.#unwatch(folder)) // the folder was removed; its parent's watcher reports a new one
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOSPC' || code === 'EMFILE') this.#poll ??= this.#polling()
      // Otherwise the folder is not there yet: the watcher of its parent will report it.
    }
  }

  #unwatch(folder: string): void {
    for (const [path, watcher] of this.#watchers) {
      if (path !== folder && folder !== '' && !path.startsWith(`${folder}/`)) continue
      watcher.close()
      this.#watchers.delete(path)
    }
  }

  #polling(): NodeJS.Timeout {
    const timer = setInterval(() => {
      for (const folder of this.#folders.keys()) this.#touch(folder)
    }, POLL_MS)
    return timer.unref()
  }

  #look(): void {
    this.#lookAtFolders(['', ...this.#folders.keys()])
    if (this.#left.length === 0) this.#left = [...this.#stamps.keys(), ...this.files()]
    const some = this.#left.splice(-LOOKED_AT)
    this.#lookAtFolders(some.filter(path => this.#stamps.has(path)))
    this.#onChange(some.filter(path => !this.#stamps.has(path)))
  }

  /** Touches those of the folders that are another one now, or have other entries. */
  #lookAtFolders(folders: readonly string[]): void {
    for (const folder of folders) {
      const before = this.#stamps.get(folder)
      const now = this.#stampOf(folder)
      if (before !== undefined && now.id === before.id && now.at === before.at) continue
      this.#stamps.set(folder, now)
      if (now.id !== before?.id) {
        this.#unwatch(folder) // what is watched is another one, wherever links led to it
        if (folder === '') this.#watch('')
      }
      if (folder !== '') this.#touch(folder)
      else if (now.id !== before?.id) for (const name of this.#folders.keys()) this.#touch(name)
    }
  }

  #stampOf(folder: string): Stamp {
    try {
      const { dev, ino, mtimeMs } = statSync(join(this.#root, folder))
      const id = [dev, ino].join(' ')
      // Just after a change another one may not be seen in the time; a root's other entries count for nothing.
      if (folder === '') return { id, at: 0 }
      return { id, at: Math.abs(Date.now() - mtimeMs) > CLOCK_STEP_MS ? mtimeMs : NaN }
    } catch {
      return { id: '', at: 0 } // it is not there, or cannot be reached
    }
  }

  #heard(folder: string, kind: string, name: string | undefined): void {
    if (folder !== '') return this.#touch(name === undefined ? folder : `${folder}/${name}`)
    if (name === undefined || !this.#folders.has(name)) return
    if (kind === 'rename') this.#unwatch(name)
    this.#touch(name)
  }

  #touch(path: string): void {
    if (this.#touched.size === 0) this.#firstTouch = Date.now()
    this.#touched.add(path)
    clearTimeout(this.#timer)
    const rest = Math.min(SETTLE_MS, Math.max(0, this.#firstTouch + LONGEST_MS - Date.now()))
    this.#timer = setTimeout(() => this.#settled(), rest)
  }

  #settled(): void {
    const touched = [...this.#touched]
    this.#touched.clear()
    const changed = new Set<string>()
    const unclear = new Set<string>()
    for (const path of touched) {
      const [folder = ''] = path.split('/', 1)
      const kind = this.#kindOf(path)
      const listed = this.#listed.get(folder)
      if (kind === 'file') listed?.add(path)
      else if (kind !== undefined || listed?.delete(path) !== true) unclear.add(folder)
      changed.add(path)
    }
    // A folder or a link was added or removed: look at all that is there.
    for (const folder of unclear) {
      for (const file of this.#listed.get(folder) ?? []) changed.add(file)
      for (const file of this.#list(folder)) changed.add(file)
    }
    this.#onChange(changed)
    this.#rested()
  }

  #rested(): void {
    for (const resolve of this.#settling.splice(0)) resolve()
  }

  /** What is at a path; undefined where there is nothing. */
  #kindOf(path: string): 'file' | 'other' | undefined {
    try {
      return lstatSync(join(this.#root, path)).isFile() ? 'file' : 'other'
    } catch (error) {
      return isNowhere(error) ? undefined : 'other'
    }
  }

  /** Lists a folder, and watches it and those in it. */
  #list(folder: string): ReadonlySet<string> {
    const files = new Set<string>()
    for (const path of this.#stamps.keys()) if (path.startsWith(`${folder}/`)) this.#stamps.delete(path)
    for (const path of this.#unlisted.keys()) if (path.startsWith(`${folder}/`)) this.#unlisted.delete(path)
    this.#walk(folder, this.#folders.get(folder)?.deep === true, files)
    this.#listed.set(folder, files)
    return files
  }

  #walk(folder: string, deep: boolean, files: Set<string>): void {
    this.#watch(folder) // before it is listed, so that nothing is missed
    this.#stamps.set(folder, this.#stampOf(folder))
    for (const name of this.#namesIn(folder, files)) {
      const path = `${folder}/${name}`
      if (!this.#isFolder(path)) files.add(path)
      else if (deep && path.split('/').length <= DEEPEST) this.#walk(path, deep, files)
    }
  }

  /** What is in a folder. Where it cannot be listed now, the files that it had are kept, and the next look tries again. */
  #namesIn(folder: string, files: Set<string>): readonly string[] {
    this.#unlisted.delete(folder)
    try {
      return readdirSync(join(this.#root, folder))
    } catch (error) {
      if (isNowhere(error)) return []
      this.#unlisted.set(folder, `cannot be listed: ${(error as NodeJS.ErrnoException).code}`)
      this.#stamps.set(folder, { id: '', at: NaN })
      const [top = ''] = folder.split('/', 1)
      for (const file of this.#listed.get(top) ?? []) if (file.startsWith(`${folder}/`)) files.add(file)
      return []
    }
  }

  #isFolder(path: string): boolean {
    try {
      return statSync(join(this.#root, path)).isDirectory()
    } catch {
      return false // a link that leads nowhere, say: what reads it reports it
    }
  }
}

/** Which folder is at a path, and when something was last added to it or removed from it, in milliseconds; NaN: not known. */
type Stamp = { readonly id: string; readonly at: number }

/** Folders inside of each other that are looked into: a link may lead to its own parent. */
export const DEEPEST = 16

/** Says whether a file or folder is not there, its parent included. */
export function isNowhere(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}
