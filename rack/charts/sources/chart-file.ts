// The YAML files of charts and of values that lie over them, as Helm reads them: what Helm would refuse is refused here, with
// the place where a person can correct it.

import { isUtf8 } from 'node:buffer'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesIfThere } from '#host/read-if-there.ts'
import { isRecord } from '#model/record.ts'
import { NotForHelm, parseHelmYaml } from '../../site/helm-yaml.ts'
import { ChartFileError } from '../errors.ts'
import type { Values } from '../values/values.ts'

/** What is read of a Chart.yaml. */
export type ChartFile = {
  /** As Helm reads it: one without quotes, `1.10`, is the number 1.1. */
  readonly version: string
  readonly dependencies: readonly ChartDependency[]
}

/** Another chart that a chart needs. */
type ChartDependency = {
  readonly name: string
  readonly repository?: string
  /** Names of maps below `exports` of that chart's values, for this one's. */
  readonly imports: readonly string[]
}

/** How a message names what is read: a chart and its folder, which may be another than the one that holds the copy. */
export type ShownAs = { readonly folder: string; readonly chart?: string; readonly remedy?: string }

/**
 * The Chart.yaml of a folder.
 *
 * @throws {ChartFileError} when it is not there, or Helm would not take it
 */
export async function readChartFile(folder: string, shown: ShownAs = { folder }): Promise<ChartFile> {
  const read = await helmMapIfThere(folder, 'Chart.yaml', shown)
  if (read === undefined) throw refusal('Chart.yaml', 'is empty, or not there', shown)
  const { version, dependencies = null } = read
  if (!(typeof version === 'string' && version !== '') && typeof version !== 'number')
    throw refusal('Chart.yaml', 'has no version', shown)
  if (dependencies !== null && !Array.isArray(dependencies))
    throw refusal('Chart.yaml', 'has dependencies that are not a list', shown)
  const needed = (dependencies ?? []) as readonly unknown[]
  return {
    version: String(version),
    dependencies: needed.map(it => {
      const { name, repository, 'import-values': imports } = isRecord(it) ? it : {}
      if (typeof name !== 'string' || !/^[\w.-]+$/.test(name))
        throw refusal('Chart.yaml', 'has a dependency without the name of a chart', shown)
      const names = Array.isArray(imports) ? (imports as unknown[]) : []
      return {
        name,
        ...(typeof repository === 'string' ? { repository } : {}),
        imports: names.filter(one => typeof one === 'string'),
      }
    }),
  }
}

/**
 * Reads what Helm reads of a chart before it renders: Chart.yaml and values.yaml, and those of the charts in its folder `charts`.
 *
 * @throws {ChartFileError} for the first file that Helm would refuse
 */
export async function checkChart(folder: string, shown: ShownAs): Promise<void> {
  await readChartFile(folder, shown)
  await helmMapIfThere(folder, 'values.yaml', shown)
  for (const { name, folder: below } of await chartsInside(folder))
    await checkChart(below, { ...shown, folder: join(shown.folder, 'charts', name) })
}

/** The charts that are unpacked in a chart's folder `charts`. */
export async function chartsInside(chart: string): Promise<{ name: string; folder: string }[]> {
  const entries = await readdir(join(chart, 'charts'), { withFileTypes: true }).catch(() => [])
  const folders = entries.filter(it => it.isDirectory()).map(({ name }) => name)
  const found: { name: string; folder: string }[] = []
  for (const name of folders.toSorted()) {
    const folder = join(chart, 'charts', name)
    if ((await bytesIfThere(join(folder, 'Chart.yaml'))) !== undefined) found.push({ name, folder })
  }
  return found
}

/**
 * The map that a YAML file of a folder holds; undefined when there is no file, or nothing in it.
 *
 * @throws {ChartFileError} with file, line and column where Helm would refuse it
 */
export async function helmMapIfThere(
  folder: string,
  file: string,
  shown: ShownAs = { folder },
): Promise<Values | undefined> {
  const bytes = await bytesIfThere(join(folder, file)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOTDIR') return undefined
    if (error.code === 'EISDIR') throw refusal(file, 'is a folder', shown)
    throw error
  })
  if (bytes === undefined) return undefined
  if (!isUtf8(bytes)) {
    const line = linesOf(bytes).findIndex(it => !isUtf8(it)) + 1
    throw refusal(`${file}:${line}:1`, 'has bytes that are not UTF-8', shown)
  }
  const read = parsed(file, bytes.toString(), shown)
  if (read === null) return undefined
  if (!isRecord(read)) throw refusal(`${file}:1:1`, 'holds no map', shown)
  return read
}

function parsed(file: string, text: string, shown: ShownAs): unknown {
  try {
    return parseHelmYaml('', text)
  } catch (error) {
    if (!(error instanceof NotForHelm)) throw error
    const [, place = '', what = error.message] = /^(:\d+:\d+) (.*)$/s.exec(error.message) ?? []
    throw refusal(`${file}${place}`, what, shown)
  }
}

function refusal(place: string, what: string, { folder, chart, remedy }: ShownAs): ChartFileError {
  const of = chart === undefined ? '' : `Chart ${chart}: `
  return new ChartFileError(`${of}${join(folder, place)} ${what}`, remedy === undefined ? {} : { remedy })
}

/** The lines of a file; a byte of a line end is never a part of a longer character in UTF-8. */
function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let at = 0; at <= bytes.length;) {
    const end = bytes.indexOf(0x0a, at)
    const until = end === -1 ? bytes.length : end
    lines.push(bytes.subarray(at, until))
    at = until + 1
  }
  return lines
}
