// Our own charts, put together with their library in a folder that Helm reads.

import { createHash } from 'node:crypto'
import { access, cp, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ChartNotFound } from './errors.ts'

/** The folder of our charts. */
export const chartsDirectory = join(import.meta.dirname, '../helm')

/** The folder of one of them. */
export function chartFolder(chart: string): string {
  return join(chartsDirectory, chart)
}

/** A chart made ready for Helm, and the hash of all its files. */
export type StagedChart = { readonly path: string; readonly hash: string }

/** Where charts come from. */
export interface ChartSource {
  /** Puts a chart, by its name in the plan, with all that it depends on into a folder below `into`. */
  stage(chart: string, into: string): Promise<StagedChart>
}

/** Our charts. */
export const ourCharts: ChartSource = { stage: (chart, into) => stageChart(chart, into) }

/**
 * Copies `chart` with the library beside it, as `helm dependency build` would, to a folder below `into`.
 *
 * @throws {ChartNotFound} when there is no such folder in `from`
 */
export async function stageChart(chart: string, into: string, from = chartsDirectory): Promise<StagedChart> {
  await access(join(from, chart)).catch((error: Error) => {
    throw new ChartNotFound(chart, from, error.message)
  })
  const path = join(into, chart)
  await rm(path, { recursive: true, force: true })
  await cp(join(from, chart), path, {
    recursive: true,
    filter: source => !source.endsWith(`${chart}/charts`),
  })
  await mkdir(join(path, 'charts'), { recursive: true })
  await cp(join(from, 'lib'), join(path, 'charts', 'lib'), { recursive: true })
  return { path, hash: (await digestOfFolder(path)).slice(0, 16) }
}

/** The SHA-256, in hexadecimal digits, over the names and bytes of all files below a folder. */
export async function digestOfFolder(directory: string): Promise<string> {
  const hash = createHash('sha256')
  const files = (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .toSorted()
  for (const file of files) {
    hash.update(`${file.slice(directory.length)}\0`)
    hash.update(await readFile(file))
  }
  return hash.digest('hex')
}
