// Charts from a source, pinned by a lock file: what is installed is what was reviewed when it was locked, byte for byte,
// wherever it comes from today.

import { cp, mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import { sha256OfFile } from '#host/digest.ts'
import { replaceFile } from '#host/replace-file.ts'
import { inScratch } from '#host/scratch.ts'
import { digestOfFolder, type ChartSource, type UnpackedChart } from './ours.ts'
import { ChartLockError } from '../errors.ts'
import { fetchChart, versionIn, type ChartWanted, type FetchedChart } from './fetch.ts'
import type { ChartLock, ChartPin } from './lock-file.ts'

/** The path of helm, and the signal that stops the work. */
export type SourceOptions = { readonly helm: string; readonly signal?: AbortSignal }

/** Fetches every chart once and gives the pins that a lock file holds. */
export async function pinCharts(
  source: string,
  wanted: readonly ChartWanted[],
  options: SourceOptions,
): Promise<ChartLock> {
  const charts: Record<string, ChartPin> = {}
  for (const chart of wanted)
    charts[chart.name] = await inScratch(async into => {
      const fetched = await fetchChart(source, chart, { ...options, into })
      const folder = await unpacked(fetched, chart.name, join(into, 'unpacked'))
      return { version: await versionOf(folder), sha256: await digestOf(fetched) }
    })
  return { source, charts }
}

/**
 * The charts of a lock file. An archive that was fetched once is kept in `cache` under its digest, and asked for no more.
 *
 * @throws {ChartLockError} from `unpack`, when a chart is not in the lock file or is not what was locked
 * @throws {ChartNotFound} from `unpack`, when the source does not give it
 */
export function lockedCharts(
  lock: ChartLock,
  { cache, ...options }: SourceOptions & { readonly cache: string },
): ChartSource {
  return {
    async unpack(name, into): Promise<UnpackedChart> {
      const pin = lock.charts[name]
      if (pin === undefined)
        throw new ChartLockError(
          `Chart ${name} is not in the lock file. Pin it: pilotlight charts lock SITE --update.`,
        )
      const fetched = await fetchPinned(lock.source, name, pin, cache, options)
      const path = await unpacked(fetched, name, join(into, name))
      return { path, hash: pin.sha256.slice(0, 16) }
    },
  }
}

async function fetchPinned(
  source: string,
  name: string,
  pin: ChartPin,
  cache: string,
  options: SourceOptions,
): Promise<FetchedChart> {
  const kept = join(cache, `${pin.sha256}.tgz`)
  const known = await digestOf({ kind: 'archive', path: kept }).catch(() => undefined)
  if (known === pin.sha256) return { kind: 'archive', path: kept }
  return inScratch(async into => {
    const fetched = await fetchChart(source, { name, version: pin.version }, { ...options, into })
    const digest = await digestOf(fetched)
    if (digest !== pin.sha256)
      throw new ChartLockError(
        `Chart ${name} ${pin.version} from ${source} is not the one that was locked: its SHA-256 is ${digest}, ` +
          `and the lock file says ${pin.sha256}. Someone changed it. Look at it, then: pilotlight charts lock SITE --update.`,
      )
    if (fetched.kind === 'folder') return fetched
    await mkdir(cache, { recursive: true })
    replaceFile(kept, await readFile(fetched.path), { mode: 'umask' })
    return { kind: 'archive', path: kept }
  })
}

/** Puts the chart's files into `folder`, whatever was there. */
async function unpacked({ kind, path }: FetchedChart, name: string, folder: string): Promise<string> {
  await rm(folder, { recursive: true, force: true })
  if (kind === 'folder') {
    await cp(path, folder, { recursive: true })
    return folder
  }
  await mkdir(folder, { recursive: true })
  // An archive holds one folder, named as the chart.
  const args = ['--extract', '--gzip', `--file=${path}`, `--directory=${folder}`, '--strip-components=1']
  await run('tar', [...args, '--no-same-owner', '--no-same-permissions', name], { limitSeconds: 60 })
  return folder
}

async function versionOf(folder: string): Promise<string> {
  const path = join(folder, 'Chart.yaml')
  return versionIn(path, await readFile(path, 'utf8')) ?? ''
}

function digestOf({ kind, path }: FetchedChart): Promise<string> {
  return kind === 'folder' ? digestOfFolder(path) : sha256OfFile(path)
}
