// The files below some folders, watched: reports which of them may have changed, once they are no longer written.

import { lstatSync, readdirSync, statSync, watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'

/** Milliseconds that changes have to rest before files are read: an editor writes in steps. */
const SETTLE_MS = 25

/** Milliseconds after which files are read although others keep changing. */
const LONGEST_MS = 400

/** Milliseconds between looks at everything, where the kernel has no watches left to give. */
const POLL_MS = 500

/** Watches the folders of `root`. Paths are relative to it. */
export class DirectoryTree {
  readonly #root: string
  readonly #folders: ReadonlyMap<string, { readonly deep: boolean }>
  readonly #onChange: (files: Iterable<string>) => void
  readonly #watchers = new Map<string, FSWatcher>()
  /** Files by folder, as last listed. */
  readonly #listed = new Map<string, Set<string>>()
  readonly #touched = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #poll: NodeJS.Timeout | undefined
  #firstTouch = 0

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
    for (const folder of folders.keys()) this.#list(folder)
  }

  /** All files of the folders. */
  *files(): Iterable<string> {
    for (const listed of this.#listed.values()) yield* listed
  }

  close(): void {
    clearTimeout(this.#timer)
    clearInterval(this.#poll)
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
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
      if (path !== folder && !path.startsWith(`${folder}/`)) continue
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
      const found = lstatSync(join(this.#root, path), { throwIfNoEntry: false })
      const listed = this.#listed.get(folder)
      if (found?.isFile() === true) listed?.add(path)
      else if (found !== undefined || listed?.delete(path) !== true) unclear.add(folder)
      changed.add(path)
    }
    // A folder or a link was added or removed: look at all that is there.
    for (const folder of unclear) {
      for (const file of this.#listed.get(folder) ?? []) changed.add(file)
      for (const file of this.#list(folder)) changed.add(file)
    }
    this.#onChange(changed)
  }

  /** Lists a folder, and watches it and those in it. */
  #list(folder: string): ReadonlySet<string> {
    const files = new Set<string>()
    this.#walk(folder, this.#folders.get(folder)?.deep === true, files)
    this.#listed.set(folder, files)
    return files
  }

  #walk(folder: string, deep: boolean, files: Set<string>): void {
    this.#watch(folder) // before it is listed, so that nothing is missed
    for (const name of namesIn(join(this.#root, folder))) {
      const path = `${folder}/${name}`
      const isFolder = statSync(join(this.#root, path), { throwIfNoEntry: false })?.isDirectory() === true
      if (!isFolder) files.add(path)
      else if (deep && path.split('/').length <= DEEPEST) this.#walk(path, deep, files)
    }
  }
}

/** Folders inside of each other that are looked into: a link may lead to its own parent. */
const DEEPEST = 16

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // it is not there
  }
}
