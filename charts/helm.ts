// Helm, as we use it: charts put together in a folder of ours, `upgrade --install` without its own waiting, and the
// repair of what a killed Helm leaves behind. Readiness is never Helm's business: see gates.ts.

import { createHash } from 'node:crypto'
import { access, cp, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { CommandFailed, run } from '#host/command.ts'
import type { ApiObject, KubernetesApi } from './api.ts'
import { ChartNotFound } from './sources/errors.ts'
import type { Values } from './values.ts'

/** The folder of our charts. */
export const chartsDirectory = join(import.meta.dirname, 'helm')

/** The folder of one of them. */
export function chartFolder(chart: string): string {
  return join(chartsDirectory, chart)
}

/** What Helm is called with. */
export type HelmOptions = {
  readonly kubeconfigPath: string
  readonly namespace: string
  /** For Helm's own caches. */
  readonly directory: string
  /** The binary: a path, or a name on the PATH. */
  readonly helm: string
  readonly signal?: AbortSignal
}

/** A chart made ready for Helm, and the hash of all its files. */
export type StagedChart = { readonly path: string; readonly hash: string }

/** Where charts come from. */
export interface ChartSource {
  /** Puts a chart, by its name in the plan, with all that it depends on into a folder below `into`. */
  stage(chart: string, into: string): Promise<StagedChart>
}

/** The charts of this folder. */
export const ourCharts: ChartSource = { stage: (chart, into) => stageChart(chart, into) }

/** A revision of a release, as Helm keeps it in the cluster. */
export type HelmRelease = {
  readonly name: string
  readonly revision: number
  /** `deployed`, `superseded`, `failed`, `pending-upgrade` ... */
  readonly status: string
  /** Milliseconds since 1970. */
  readonly at: number
}

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

/**
 * Installs or upgrades a release, and gives its new revision. Returns as soon as the objects are stored, and the chart's
 * hooks have run where it has some: `limitSeconds` is theirs. The values lie in no file and on no command line.
 *
 * @throws {CommandFailed} with what Helm said
 */
export async function upgradeInstall(
  name: string,
  chart: string,
  values: Values,
  options: HelmOptions,
  limitSeconds = 90,
): Promise<number> {
  const args = ['upgrade', '--install', name, chart, '--values', '-', '--timeout', `${limitSeconds}s`]
  args.push('--history-max', String(keptRevisions), '--output', 'json', '--hide-notes')
  // The API server would make its description of every kind for Helm, a second of a processor; it checks what it is
  // sent anyway.
  args.push('--disable-openapi-validation')
  const stdout = await callHelm(args, options, {
    input: JSON.stringify(values),
    limitSeconds: limitSeconds + 30,
  })
  return (JSON.parse(stdout) as { version: number }).version // Helm's own output format
}

/** Brings an earlier revision of a release back, as a new one. */
export async function rollback(name: string, revision: number, options: HelmOptions): Promise<void> {
  await callHelm(['rollback', name, String(revision), '--history-max', String(keptRevisions)], options)
}

/** Removes a release with its objects; returns when they are told to go. A release that is not there is fine. */
export async function uninstall(name: string, options: HelmOptions): Promise<void> {
  await callHelm(['uninstall', name, '--ignore-not-found'], options)
}

/** The objects that a chart makes of these values, as YAML. No cluster is asked. */
export async function renderChart(
  name: string,
  chart: string,
  values: Values,
  { helm, namespace, signal }: Omit<HelmOptions, 'kubeconfigPath' | 'directory'>,
): Promise<string> {
  const args = ['template', name, chart, '--namespace', namespace, '--values', '-']
  const input = JSON.stringify(values)
  return (await run(helm, args, { limitSeconds: 60, input, ...(signal ? { signal } : {}) })).stdout
}

/** How many revisions of a release stay for a rollback. */
const keptRevisions = 5

async function callHelm(
  args: readonly string[],
  options: HelmOptions,
  { input = '', limitSeconds = 120 } = {},
): Promise<string> {
  const { helm, namespace, kubeconfigPath, directory, signal } = options
  const all = [...args, '--namespace', namespace, '--kubeconfig', kubeconfigPath]
  const cache = join(directory, '.cache') // not in somebody's home
  // If we are killed Helm goes with us: a Helm that works on behind our back could meet the next run's.
  const { stdout } = await run('setpriv', ['--pdeathsig', 'KILL', helm, ...all], {
    limitSeconds,
    input,
    // A process that lives for a third of a second need not tidy up: a fifth less of a processor.
    env: { HELM_CACHE_HOME: cache, KUBECACHEDIR: cache, GOGC: '400' },
    ...(signal ? { signal } : {}),
  })
  return stdout
}

/** Whether helm failed for the connection's sake only, so that the same call may get through a moment later. */
export function isPassing(error: unknown): boolean {
  const words =
    /connection refused|connection reset|connection lost|unexpected EOF|no route to host|i\/o timeout|TLS handshake|apiserver not ready|etcdserver|too many requests|service unavailable|the server is currently unable|Kubernetes cluster unreachable/i
  return error instanceof CommandFailed && words.test(error.stderr)
}

/** All revisions that are kept of every release in a namespace, in one question. */
export async function listRevisions(api: KubernetesApi, namespace: string): Promise<HelmRelease[]> {
  return revisionsOf(await api.metadata(`/api/v1/namespaces/${namespace}/secrets?labelSelector=owner%3Dhelm`))
}

/** The newest revision of every release in a namespace. */
export async function listReleases(api: KubernetesApi, namespace: string): Promise<Map<string, HelmRelease>> {
  return newestReleases(await listRevisions(api, namespace))
}

/** What the labels of Helm's records say. */
export function revisionsOf(records: readonly ApiObject[]): HelmRelease[] {
  return records.flatMap(({ metadata }) => {
    const { name, version, status, modifiedAt } = metadata.labels ?? {}
    if (name === undefined || version === undefined || status === undefined) return []
    return [{ name, revision: Number(version), status, at: Number(modifiedAt ?? 0) * 1000 }]
  })
}

/** The newest revision of every release. */
export function newestReleases(revisions: readonly HelmRelease[]): Map<string, HelmRelease> {
  const newest = new Map<string, HelmRelease>()
  for (const one of revisions)
    if (one.revision > (newest.get(one.name)?.revision ?? 0)) newest.set(one.name, one)
  return newest
}

/** What Helm keeps of one revision: the objects that it made, and the values it was given. */
export type HelmRecord = { readonly manifest: string; readonly values: Values }

/** Reads Helm's record of a revision: JSON, packed by gzip, in base64, within a Secret (and that in base64 again). */
export async function readRecord(
  api: KubernetesApi,
  namespace: string,
  { name, revision }: Pick<HelmRelease, 'name' | 'revision'>,
): Promise<HelmRecord | undefined> {
  const path = `/api/v1/namespaces/${namespace}/secrets/${recordName(name, revision)}`
  const secret = await api.get<{ data?: { release?: string } }>(path)
  if (secret?.data?.release === undefined) return undefined
  const packed = Buffer.from(Buffer.from(secret.data.release, 'base64').toString(), 'base64')
  const record = JSON.parse(gunzipSync(packed).toString()) as { manifest: string; config?: Values }
  return { manifest: record.manifest, values: record.config ?? {} }
}

function recordName(release: string, revision: number): string {
  return `sh.helm.release.v1.${release}.v${revision}`
}

/** Whether a Helm was killed at work on this release: every later one would refuse with "another operation". */
export function isPending(release: HelmRelease | undefined): boolean {
  return release?.status.startsWith('pending-') ?? false
}

/**
 * Repairs a pending release by dropping the record of the attempt. What the killed Helm already made stays: it bears
 * the release's name, so the next attempt takes it over instead of deleting a running database.
 */
export async function dropPending(
  api: KubernetesApi,
  namespace: string,
  release: HelmRelease,
): Promise<void> {
  await api.remove(`/api/v1/namespaces/${namespace}/secrets/${recordName(release.name, release.revision)}`)
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
