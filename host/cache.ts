// A cache of built artefacts, keyed by the content of what they are built from. A recipe says what goes in
// and how to build it; the same inputs are built once, by one process at a time, and appear whole or not at
// all.

import { hash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PilotlightError } from '#model/error.ts'
import { silentStage, type Stage } from '#progress/stage.ts'
import { messageOf, waitUntil } from '#progress/wait.ts'
import {
  artefactAt,
  cacheDirectory,
  isThere,
  makeAside,
  place,
  removeTree,
  touch,
  type Artefact,
} from './artefacts.ts'
import { canonical } from './canonical.ts'
import { tryLock } from './lock.ts'
import { Seats } from './seats.ts'

/** Plain data that an artefact is keyed by: versions, package lists, flags, the text of files. */
export type Input =
  string | number | boolean | null | readonly Input[] | { readonly [name: string]: Input | undefined }

/** What a recipe can use while it builds. */
export type Work = {
  /** An empty directory on the cache's file system; its contents at the end are the artefact. */
  readonly directory: string
  /** The directories of the artefacts this one needs, by the name of their recipe. */
  readonly needs: Readonly<Record<string, string>>
  readonly stage: Stage
  /** A file for everything the commands say. */
  readonly log: string
  readonly signal?: AbortSignal
}

/** How one artefact is built. Its key is the hash of `name`, `inputs`, and the keys of `needs`. */
export type Recipe = {
  /** Lower-case words and hyphens: the first part of the artefact's directory. */
  readonly name: string
  /** What a person reads while it is built. */
  readonly title: string
  readonly inputs: Input
  readonly needs?: readonly Recipe[]
  build(work: Work): Promise<void>
}

/** Where the cache is, who watches, and what ends the work early. */
export type CacheOptions = {
  /** The cache's directory; {@link cacheDirectory} by default. */
  readonly cache?: string
  readonly stage?: Stage
  readonly signal?: AbortSignal
  /** Seconds to wait for another process which builds the same; an hour by default. */
  readonly lockLimitSeconds?: number
  /** How many recipes are built in parallel; 2 by default. */
  readonly concurrency?: number
}

/** A recipe that did not come through. The log and the next attempt's start are in the message. */
export class BuildFailed extends PilotlightError {
  readonly code = 'BUILD_FAILED'
  readonly log: string
  constructor(recipe: Recipe, log: string, cause: unknown) {
    super(
      `Could not build ${recipe.title}: ${messageOf(cause)}\n` +
        `  The whole log: ${log}\n  Run the same again: finished parts are kept.`,
      { cause },
    )
    this.log = log
  }
}

/**
 * The key of what `recipe` builds: twelve hexadecimal digits over its name, its inputs and the keys of its
 * needs.
 */
export function keyOf(recipe: Recipe): string {
  const text = canonical([recipe.name, recipe.inputs, (recipe.needs ?? []).map(keyOf)])
  return hash('sha256', text).slice(0, 12)
}

/** The artefact of `recipe` if the cache has it, without building anything. */
export async function findArtefact(recipe: Recipe, cache = cacheDirectory()): Promise<Artefact | undefined> {
  const artefact = artefactOf(recipe, cache)
  return (await isThere(artefact)) ? artefact : undefined
}

/**
 * Gives the artefact of `recipe`, building it and what it needs unless the cache has it. What is independent
 * is built side by side. A process that builds the same artefact is waited for; the lock of a dead one is
 * taken over.
 *
 * @throws {BuildFailed} when a build ends badly; its log stays, and what was finished stays cached
 */
export async function obtain(recipe: Recipe, options: CacheOptions = {}): Promise<Artefact> {
  const [artefact] = await obtainAll([recipe], options)
  return artefact! // one recipe, one artefact
}

/**
 * Gives the artefacts of several recipes in their order, as {@link obtain} does; what they share is built once.
 *
 * @throws {BuildFailed}
 */
export async function obtainAll(recipes: readonly Recipe[], options: CacheOptions = {}): Promise<Artefact[]> {
  const seats = new Seats(options.concurrency ?? 2)
  const inProgress = new Map<string, Promise<Artefact>>()
  const failure = new AbortController()
  const run: Run = {
    options,
    seats,
    failure,
    visit: wanted => {
      const key = `${wanted.name}-${keyOf(wanted)}`
      const known = inProgress.get(key)
      if (known !== undefined) return known
      const started = obtainOne(wanted, run)
      inProgress.set(key, started)
      return started
    },
  }
  try {
    return await Promise.all(recipes.map(recipe => run.visit(recipe)))
  } finally {
    // After a failure nothing new begins, and what had begun comes to rest.
    await Promise.allSettled(inProgress.values())
  }
}

/** What the recipes of one call share. */
type Run = {
  readonly options: CacheOptions
  readonly seats: Seats
  /** Aborted with the first failure. */
  readonly failure: AbortController
  readonly visit: (need: Recipe) => Promise<Artefact>
}

async function obtainOne(recipe: Recipe, { options, seats, failure, visit }: Run): Promise<Artefact> {
  const cache = options.cache ?? cacheDirectory()
  const artefact = artefactOf(recipe, cache)
  const parent = options.stage ?? silentStage
  if (await touch(artefact)) {
    parent.child(recipe.title).skipped('cached')
    return artefact
  }
  const needs: Record<string, string> = {}
  for (const need of await Promise.all((recipe.needs ?? []).map(visit))) needs[need.name] = need.path
  return seats.use(async () => {
    options.signal?.throwIfAborted()
    failure.signal.throwIfAborted()
    const stage = parent.child(recipe.title)
    try {
      const built = await locked(artefact, cache, stage, options, async () => {
        if (await touch(artefact)) return false
        await buildInto(artefact, recipe, needs, stage, cache, options.signal)
        return true
      })
      if (built) stage.done()
      else stage.skipped('cached')
      return artefact
    } catch (error) {
      failure.abort(error) // before the seat is given on
      stage.failed(error)
      throw error
    }
  })
}

async function buildInto(
  artefact: Artefact,
  recipe: Recipe,
  needs: Readonly<Record<string, string>>,
  stage: Stage,
  cache: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const directory = await makeAside(artefact, cache)
  const log = join(cache, 'logs', `${artefact.name}-${artefact.key}.log`)
  await mkdir(join(cache, 'logs'), { recursive: true })
  await writeFile(log, `${recipe.title}, ${new Date().toISOString()}\n`)
  const begin = performance.now()
  try {
    await recipe.build({ directory, needs, stage, log, ...(signal ? { signal } : {}) })
    const seconds = Math.round((performance.now() - begin) / 100) / 10
    const { title, inputs } = recipe
    await place(artefact, cache, directory, { title, seconds, builtAt: new Date().toISOString(), inputs })
  } catch (error) {
    await removeTree(directory)
    if (signal?.aborted) throw error
    throw new BuildFailed(recipe, log, error)
  }
}

function artefactOf(recipe: Recipe, cache: string): Artefact {
  return artefactAt(cache, recipe.name, keyOf(recipe))
}

/** Works while no other process builds the artefact; a lock that another holds is waited for. */
async function locked<T>(
  artefact: Artefact,
  cache: string,
  stage: Stage,
  options: CacheOptions,
  work: () => Promise<T>,
): Promise<T> {
  const path = join(cache, `${artefact.name}-${artefact.key}.lock`)
  const { signal } = options
  const limits = { limitSeconds: options.lockLimitSeconds ?? 3600, stage, ...(signal ? { signal } : {}) }
  const unlock = await waitUntil(`the lock of ${artefact.name}`, limits, async () => {
    const taken = tryLock(path)
    if (typeof taken === 'function') return { value: taken }
    const { holder } = taken
    return { not: holder === undefined ? 'it was just given back' : `process ${holder.pid} builds the same` }
  })
  try {
    return await work()
  } finally {
    unlock()
  }
}
