// Fetches one chart from where a site says that its charts are: a folder, an HTTP index or an OCI registry. Protocols
// are Helm's own (`helm pull`); what it brings is only a file here, checked by its caller.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandFailed, run } from '#host/command.ts'
import { textIfThere } from '#host/read-if-there.ts'
import { ChartNotFound } from '../errors.ts'
import { readChartFile } from './chart-file.ts'

/** A chart as it was found: an archive, or a folder with its files. */
export type FetchedChart = { readonly kind: 'archive' | 'folder'; readonly path: string }

/** How a chart is asked for. */
export type ChartWanted = {
  readonly name: string
  /** The newest there is, by default. A registry has no newest: there it must be given. */
  readonly version?: string
}

/** What fetching needs of its surroundings. */
export type FetchOptions = {
  /** The helm binary: a path, or a name on the PATH. */
  readonly helm: string
  /** An empty folder for the archive. */
  readonly into: string
  readonly signal?: AbortSignal
}

/** The kinds of source, by how the text begins. */
export function kindOfSource(source: string): 'oci' | 'http' | 'folder' {
  if (source.startsWith('oci://')) return 'oci'
  return /^https?:\/\//.test(source) ? 'http' : 'folder'
}

/**
 * Fetches a chart. A registry on this very host is spoken to without TLS, any other with it.
 *
 * @throws {ChartNotFound} when the source has no such chart, or does not answer
 * @throws {ChartFileError} when a folder has it, with a Chart.yaml that Helm would refuse
 */
export async function fetchChart(
  source: string,
  wanted: ChartWanted,
  options: FetchOptions,
): Promise<FetchedChart> {
  const kind = kindOfSource(source)
  if (kind === 'folder') return findInFolder(source, wanted)
  const { name, version } = wanted
  const { helm, into, signal } = options
  const place = kind === 'oci' ? [`${source.replace(/\/$/, '')}/${name}`] : [name, '--repo', source]
  const args = ['pull', ...place, '--destination', into]
  if (version !== undefined) args.push('--version', version)
  if (kind === 'oci' && isLoopback(source)) args.push('--plain-http')
  try {
    await run(helm, args, {
      limitSeconds: 120,
      env: { HELM_CACHE_HOME: join(into, '.cache'), HELM_CONFIG_HOME: join(into, '.config') },
      ...(signal ? { signal } : {}),
    })
  } catch (error) {
    if (!(error instanceof CommandFailed) || error.status === null) throw error // Helm itself was not there, or not done
    throw new ChartNotFound(
      name,
      source,
      `${error.stderr.trim()}. Is the version right, does the address answer?`,
    )
  }
  const [archive] = (await readdir(into)).filter(file => file.endsWith('.tgz'))
  if (archive === undefined) throw new ChartNotFound(name, source, 'Helm brought no archive.')
  return { kind: 'archive', path: join(into, archive) }
}

async function findInFolder(folder: string, { name, version }: ChartWanted): Promise<FetchedChart> {
  const unpacked = join(folder, name)
  if ((await textIfThere(join(unpacked, 'Chart.yaml')).catch(() => undefined)) !== undefined) {
    const { version: found } = await readChartFile(unpacked, { folder: unpacked, chart: name })
    if (version === undefined || version === found) return { kind: 'folder', path: unpacked }
    throw new ChartNotFound(name, folder, `the folder has version ${found}, and ${version} is wanted.`, {
      remedy: 'put that version there, or pin what is there: pilotlight charts lock SITE --update',
    })
  }
  const archives = await readdir(folder).catch(() => [])
  const fits = archives.filter(
    file => file.startsWith(`${name}-`) && /^\d.*\.tgz$/.test(file.slice(name.length + 1)),
  )
  const found = version === undefined ? fits : fits.filter(file => file === `${name}-${version}.tgz`)
  if (found.length === 1) return { kind: 'archive', path: join(folder, found[0]!) } // its length is 1
  const isThere = await stat(folder).then(
    it => it.isDirectory(),
    () => false,
  )
  const because = isThere
    ? found.length === 0
      ? `it has neither ${name}/Chart.yaml nor ${name}-${version ?? 'VERSION'}.tgz.`
      : `it has several versions: ${found.join(', ')}. Name one.`
    : 'there is no such folder.'
  throw new ChartNotFound(name, folder, because)
}

function isLoopback(source: string): boolean {
  return /^oci:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|\/)/.test(source)
}
