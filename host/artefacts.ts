// Artefacts in the cache. Each is made in a temporary folder and renamed into its place, with a note of how it was built,
// so it is complete or absent. Unused artefacts are removed on request.

import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isAlive, markProcess } from './process.ts'

/** In an artefact, its note; in the cache, the folder of what is being made or removed. */
const NOTE = '.built.json'
const BUILDING = '.building'

/** An artefact in the cache. */
export type Artefact = {
  readonly name: string
  /** The first twelve hexadecimal digits of its key. */
  readonly key: string
  readonly path: string
}

/** Where artefacts are stored: `PILOTLIGHT_CACHE`, or `~/.cache/pilotlight`. */
export function cacheDirectory(): string {
  return process.env['PILOTLIGHT_CACHE'] || join(homedir(), '.cache', 'pilotlight')
}

/** How an artefact was built, stored beside its files. */
export type Note = {
  readonly title: string
  /** That its build took, without what it needed. */
  readonly seconds: number
  readonly builtAt: string
  readonly inputs: unknown
}

/** Where an artefact is stored, or will be. */
export function artefactAt(cache: string, name: string, key: string): Artefact {
  return { name, key, path: join(cache, `${name}-${key}`) }
}

/** Says whether the artefact is there. */
export async function isThere({ path }: Artefact): Promise<boolean> {
  return succeeded(stat(join(path, NOTE)))
}

/** Says whether the artefact is there, and marks it as used now. */
export async function touch({ path }: Artefact): Promise<boolean> {
  const now = new Date()
  return succeeded(utimes(join(path, NOTE), now, now))
}

/** An empty folder in which the artefact is made. */
export async function makeAside({ name, key }: Artefact, cache: string): Promise<string> {
  const directory = join(cache, BUILDING, `${name}-${key}.${ourMark()}`)
  await mkdir(directory, { recursive: true })
  return directory
}

/** Puts what was made aside in the artefact's place, with its note. */
export async function place(artefact: Artefact, cache: string, directory: string, note: Note): Promise<void> {
  await writeFile(join(directory, NOTE), `${JSON.stringify(note, undefined, 2)}\n`)
  await removeAtOnce(artefact, cache) // a folder without a note is not an artefact
  await rename(directory, artefact.path)
}

/** Removes a folder and what is in it; one that is not there is fine. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 })
}

/** One artefact as a person sees it in a list. */
export type CachedArtefact = Artefact & {
  readonly builtAt: Date
  /** Seconds that its build took, without what it needed. */
  readonly buildSeconds: number
  readonly usedAt: Date
}

/** Every artefact in the cache, by name and then most recently used first. */
export async function listCache(cache = cacheDirectory()): Promise<CachedArtefact[]> {
  const names = await readdir(cache).catch(() => [])
  const found: CachedArtefact[] = []
  for (const entry of names) {
    const [, name, key] = /^([a-z][a-z0-9-]*)-([0-9a-f]{12})$/.exec(entry) ?? []
    if (name === undefined || key === undefined) continue
    const path = join(cache, entry)
    const note = await readNote(path)
    if (note === undefined) continue
    const { mtime } = await stat(join(path, NOTE))
    found.push({
      name,
      key,
      path,
      usedAt: mtime,
      builtAt: new Date(note.builtAt),
      buildSeconds: note.seconds,
    })
  }
  return found.toSorted((a, b) => a.name.localeCompare(b.name) || b.usedAt.getTime() - a.usedAt.getTime())
}

/**
 * Removes all but the `keep` most recently used artefacts of each name, and what dead builds left behind.
 *
 * @param dryRun removes nothing
 * @returns the paths removed, or that would be
 */
export async function pruneCache(
  keep = 2,
  cache = cacheDirectory(),
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): Promise<string[]> {
  const removed: string[] = []
  for (const [, versions] of Map.groupBy(await listCache(cache), artefact => artefact.name)) {
    for (const old of versions.slice(keep)) {
      if (dryRun || (await removeAtOnce(old, cache))) removed.push(old.path)
    }
  }
  const building = join(cache, BUILDING)
  for (const entry of await readdir(building).catch(() => [])) {
    const owner = /\.([0-9]+)-([0-9]+)$/.exec(entry)
    if (owner !== null && isAlive({ pid: Number(owner[1]), startTicks: Number(owner[2]) })) continue
    if (!dryRun) await removeTree(join(building, entry))
    removed.push(join(building, entry))
  }
  return removed
}

async function readNote(path: string): Promise<Note | undefined> {
  const text = await readFile(join(path, NOTE), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Note) // written by `place`, renamed whole
}

/** Takes an artefact out of sight in one step, then removes it; says whether it was there. */
async function removeAtOnce(artefact: Artefact, cache: string): Promise<boolean> {
  const building = join(cache, BUILDING)
  const aside = join(building, `old-${artefact.name}-${artefact.key}-${counter++}.${ourMark()}`)
  await mkdir(building, { recursive: true })
  try {
    await rename(artefact.path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  await removeTree(aside)
  return true
}

let counter = 0

/** What the name of everything in the making ends with, so that pruneCache finds what a dead process left. */
function ourMark(): string {
  return `${process.pid}-${markProcess(process.pid)?.startTicks}`
}

async function succeeded(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    () => false,
  )
}
