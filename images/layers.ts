// Image layers as files: a directory packed by tar, or a handful of files packed here, with the digest that
// names it.

import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { sha256OfFile } from '#host/digest.ts'
import { tarEnd, tarHeader, tarPadding, type TarEntry } from '#host/tar.ts'
import type { Recipe, Work } from '#host/cache.ts'

import { command } from './commands.ts'

/** A layer's digest over its uncompressed tar, and its size in bytes. */
export type Layer = { readonly digest: string; readonly size: number }

/** A file that goes into a layer: where it is on this host, and its path in the image. */
export type LayerFile = { readonly from: string; readonly to: string; readonly mode?: number }

/** What stays out of a packed directory: tar's patterns (`./var/cache/*`), and paths from its root (`/usr/bin/dot`). */
export type LeftOut = { readonly patterns: readonly string[]; readonly paths?: readonly string[] }

/** Lets tar print a line for every 10 MB: a limit can listen for it. */
export const TAR_PROGRESS = '--checkpoint=1000'

/** Packs all below `directory` but what is left out, as the layer of this artefact. */
export async function packDirectory(
  work: Work,
  directory: string,
  { patterns, paths = [] }: LeftOut,
): Promise<void> {
  const to = join(work.directory, 'layer.tar')
  work.stage.waiting('tar')
  const list = join(work.directory, '.left-out')
  await writeFile(list, paths.map(path => `.${path}\n`).join(''))
  const exclude = [
    ...patterns.map(pattern => `--exclude=${pattern}`),
    '--no-wildcards',
    `--exclude-from=${list}`,
  ]
  const options = ['--create', `--file=${to}`, `--directory=${directory}`, '--sort=name', '--numeric-owner']
  await command(work, { silenceSeconds: 900 }, 'tar', [
    ...options,
    TAR_PROGRESS,
    '--anchored',
    ...exclude,
    '.',
  ])
  await rm(list)
  await describe(work)
}

/**
 * Packs `files` and an empty `/tmp` as the layer of this artefact; owner root, time zero, so equal files give
 * equal bytes.
 */
export async function packFiles(work: Work, files: readonly LayerFile[]): Promise<void> {
  const entries: (TarEntry & { from?: string })[] = [{ path: 'tmp/', mode: 0o1777 }]
  for (const { from, to, mode = 0o755 } of files) {
    entries.push({ path: to.replace(/^\/+/, ''), mode, size: (await stat(from)).size, from })
  }
  async function* bytes() {
    for (const entry of withParents(entries)) {
      yield tarHeader(entry)
      if (!('from' in entry) || entry.from === undefined) continue
      yield* createReadStream(entry.from)
      yield tarPadding(entry.size ?? 0)
    }
    yield tarEnd
  }
  await pipeline(Readable.from(bytes()), createWriteStream(join(work.directory, 'layer.tar')))
  await describe(work)
}

/** `entries` with every directory that a path runs through in front of its first use, each once. */
export function withParents<T extends TarEntry>(entries: readonly T[]): (T | TarEntry)[] {
  const seen = new Set<string>()
  return entries.flatMap(entry => {
    const parts = entry.path.split('/').slice(0, entry.path.endsWith('/') ? -2 : -1)
    const parents = parts.map((_, index): TarEntry => ({
      path: `${parts.slice(0, index + 1).join('/')}/`,
      mode: 0o755,
    }))
    return [...parents, entry].filter(({ path }) => !seen.has(path) && seen.add(path))
  })
}

/** The layer in an artefact which {@link packDirectory} or {@link packFiles} made. */
export async function layerIn(artefact: string): Promise<Layer> {
  return JSON.parse(await readFile(join(artefact, 'layer.json'), 'utf8')) as Layer // written by `describe`
}

/** A recipe for a layer of some files, and which they are. */
export type FilesLayer = Recipe & { readonly files: readonly LayerFile[] }

/** A recipe for a layer of some files out of other recipes' artefacts: `from` is `<recipe>/<file>`. */
export function filesLayerRecipe(
  name: string,
  needs: readonly Recipe[],
  files: readonly LayerFile[],
): FilesLayer {
  return {
    files,
    name: `layer-${name}`,
    title: `image layer of ${name}`,
    inputs: files.map(({ from, to, mode = 0o755 }) => ({ from, to, mode })),
    needs,
    async build(work) {
      const placed = files.map(file => {
        const [recipe = '', ...rest] = file.from.split('/')
        return { ...file, from: join(work.needs[recipe] ?? '', ...rest) }
      })
      await packFiles(work, placed)
    },
  }
}

async function describe(work: Work): Promise<void> {
  const path = join(work.directory, 'layer.tar')
  const layer: Layer = { digest: `sha256:${await sha256OfFile(path)}`, size: (await stat(path)).size }
  await writeFile(join(work.directory, 'layer.json'), `${JSON.stringify(layer)}\n`)
}
