// Charts from a source, pinned by a lock file: what is installed is what was reviewed when it was locked, byte for byte,
// wherever it comes from today.

import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandFailed, run } from '#host/command.ts'
import { sha256OfFile } from '#host/digest.ts'
import { textIfThere } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import { inScratch } from '#host/scratch.ts'
import { digestOfFolder, type ChartSource, type UnpackedChart } from './ours.ts'
import { ChartFileError, ChartLockError } from '../errors.ts'
import { checkChart, readChartFile } from './chart-file.ts'
import { fetchChart, type ChartWanted, type FetchedChart } from './fetch.ts'
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
      const folder = await unpacked(fetched, source, chart.name, join(into, 'unpacked'))
      const { version } = await readChartFile(folder)
      return { version, sha256: await digestOf(fetched, folder) }
    })
  return { source, charts }
}

/**
 * The charts of a lock file. An archive that was fetched once is kept in `cache` under its digest, and asked for no more.
 *
 * @throws {ChartLockError} from `unpack`, when a chart is not in the lock file or is not what was locked
 * @throws {ChartFileError} from `unpack`, when Helm would refuse its Chart.yaml or its values
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
          `Chart ${name} is not in the lock file. Pin it, the others stay as they are: pilotlight charts lock SITE.`,
        )
      const fetched = await fetchPinned(lock.source, name, pin, cache, options)
      const path = await unpacked(fetched, lock.source, name, join(into, name))
      if (fetched.kind === 'folder') refuseChanged(lock.source, name, pin, await digestOf(fetched, path))
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
  const known = await sha256OfFile(kept).catch(() => undefined)
  if (known === pin.sha256) return { kind: 'archive', path: kept }
  return inScratch(async into => {
    const fetched = await fetchChart(source, { name, version: pin.version }, { ...options, into })
    if (fetched.kind === 'folder') return fetched // its digest is that of all that it depends on, too: see `unpack`
    refuseChanged(source, name, pin, await sha256OfFile(fetched.path))
    await mkdir(cache, { recursive: true })
    replaceFile(kept, await readFile(fetched.path), { mode: 'umask' })
    return { kind: 'archive', path: kept }
  })
}

/** @throws {ChartLockError} when the digest is another than the one that was locked */
function refuseChanged(source: string, name: string, pin: ChartPin, digest: string): void {
  if (digest !== pin.sha256) throw changedChart(source, name, pin, digest)
}

/** Of a chart that is not what its version was when it was pinned. */
export function changedChart(source: string, name: string, pin: ChartPin, digest: string): ChartLockError {
  return new ChartLockError(
    `Chart ${name} ${pin.version} from ${source} is not the one that was locked: its SHA-256 is ${digest}, ` +
      `and the lock file says ${pin.sha256}. Someone changed it.`,
    {
      remedy:
        'Look at what changed in the chart and in those that it depends on. To take it, and the newest version of every other chart: pilotlight charts lock SITE --update',
    },
  )
}

/**
 * Puts the chart's files into `folder`, whatever was there; into a folder's chart also what it depends on.
 *
 * @throws {ChartFileError} when Helm would refuse what it reads first of them
 */
async function unpacked(
  { kind, path }: FetchedChart,
  source: string,
  name: string,
  folder: string,
): Promise<string> {
  await rm(folder, { recursive: true, force: true })
  if (kind === 'folder') {
    await checkChart(path, { folder: path, chart: name })
    await cp(path, folder, { recursive: true })
    await addDependencies(name, folder, source, [name])
    return folder
  }
  await mkdir(folder, { recursive: true })
  // An archive holds one folder, named as the chart.
  const args = ['--extract', '--gzip', `--file=${path}`, `--directory=${folder}`, '--strip-components=1']
  try {
    await run('tar', [...args, '--no-same-owner', '--no-same-permissions', name], { limitSeconds: 60 })
  } catch (error) {
    if (!(error instanceof CommandFailed) || error.status === null) throw error
    const [why = ''] = error.stderr.trim().split('\n')
    throw new ChartFileError(`Chart ${name}: its archive from ${source} has no folder ${name}: ${why}`)
  }
  await checkChart(folder, { folder: name, chart: `${name} from ${source}` })
  return folder
}

/**
 * Copies the charts that a chart depends on into its `charts`, from the folder beside it, as `helm dependency build` would:
 * a checkout has them there and not inside.
 *
 * @throws {ChartLockError} when one is in neither place
 */
async function addDependencies(
  name: string,
  folder: string,
  source: string,
  way: readonly string[],
): Promise<void> {
  const { dependencies } = await readChartFile(folder)
  for (const { name: needed } of dependencies) {
    const inside = await readdir(join(folder, 'charts')).catch(() => [])
    if (inside.some(it => it === needed || it.startsWith(`${needed}-`))) continue
    const beside = join(source, needed)
    const isThere = (await textIfThere(join(beside, 'Chart.yaml'))) !== undefined
    if (!isThere || way.includes(needed))
      throw new ChartLockError(
        `Chart ${name} depends on the chart ${needed}, which is neither in its folder charts nor beside it in ${source}. ` +
          `Put it there: helm dependency build ${join(source, name)} (in a checkout of openstack-helm: make all).`,
      )
    await checkChart(beside, { folder: beside, chart: needed })
    const to = join(folder, 'charts', needed)
    await cp(beside, to, { recursive: true })
    await addDependencies(needed, to, source, [...way, needed])
  }
}

/** Of an archive its own; of a folder that of the chart as it was put together, with what it depends on. */
function digestOf({ kind, path }: FetchedChart, folder: string): Promise<string> {
  return kind === 'folder' ? digestOfFolder(folder) : sha256OfFile(path)
}
