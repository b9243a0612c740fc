// Our own charts, put together with their library in a folder that Helm reads.

import { createHash } from 'node:crypto'
import { access, cp, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ChartNotFound } from '../errors.ts'

const servicesDirectory = join(import.meta.dirname, '../services')

/** The folder of the library chart, on which all our charts depend. */
export const libraryFolder = join(servicesDirectory, 'lib')

/** The folder of one of our charts, beside the plan of its service. */
export function chartFolder(chart: string): string {
  return join(servicesDirectory, chart, 'chart')
}

/** Our charts that can be installed, in the order of the alphabet: all but the library. */
export async function chartNames(): Promise<string[]> {
  const found = await readdir(servicesDirectory, { withFileTypes: true })
  const folders = found.filter(entry => entry.isDirectory()).map(({ name }) => name)
  return folders.filter(name => name !== basename(libraryFolder)).toSorted()
}

/** A chart made ready for Helm, and the hash of all its files. */
export type UnpackedChart = { readonly path: string; readonly hash: string }

/** Where charts come from. */
export interface ChartSource {
  /** Puts a chart, by its name in the plan, with all that it depends on into a folder below `into`. */
  unpack(chart: string, into: string): Promise<UnpackedChart>
}

/** Our charts. */
export const ourCharts: ChartSource = { unpack: copyChart }

/**
 * Copies `chart` with the library inside it, as `helm dependency build` would, to a folder below `into`.
 *
 * @throws {ChartNotFound} when we have no such chart
 */
export async function copyChart(chart: string, into: string): Promise<UnpackedChart> {
  const from = chartFolder(chart)
  await access(from).catch((error: Error) => {
    throw new ChartNotFound(chart, servicesDirectory, error.message)
  })
  const path = join(into, chart)
  await rm(path, { recursive: true, force: true })
  const built = join(from, 'charts') // by `helm dependency build`, by hand
  await cp(from, path, { recursive: true, filter: source => source !== built })
  await mkdir(join(path, 'charts'), { recursive: true })
  await cp(libraryFolder, join(path, 'charts', 'lib'), { recursive: true })
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
