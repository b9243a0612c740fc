// Helm, as we use it: charts put together in a folder of ours, `upgrade --install` without its own waiting, and the
// repair of what a killed Helm leaves behind. Readiness is never Helm's business: see gates.ts.

import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandFailed, run } from '#host/command.ts'
import type { ApiObject, KubernetesApi } from './api.ts'
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
  /** The binary: a path, or a name on the PATH. */
  readonly helm: string
  readonly signal?: AbortSignal
}

/** A chart made ready for Helm, and the hash of all its files. */
export type StagedChart = { readonly path: string; readonly hash: string }

/** A release's newest revision, as Helm keeps it in the cluster. */
export type HelmRelease = { readonly name: string; readonly revision: number; readonly status: string }

/** Copies `chart` with the library beside it, as `helm dependency build` would, to a folder below `into`. */
export async function stageChart(chart: string, into: string, from = chartsDirectory): Promise<StagedChart> {
  const path = join(into, chart)
  await rm(path, { recursive: true, force: true })
  await cp(join(from, chart), path, {
    recursive: true,
    filter: source => !source.endsWith(`${chart}/charts`),
  })
  await mkdir(join(path, 'charts'), { recursive: true })
  await cp(join(from, 'lib'), join(path, 'charts', 'lib'), { recursive: true })
  return { path, hash: await hashOf(path) }
}

/**
 * Installs or upgrades a release, and gives its new revision. Returns as soon as the objects are stored. The values
 * go through a file that only we can read.
 *
 * @throws {CommandFailed} with what Helm said
 */
export async function upgradeInstall(
  name: string,
  chart: string,
  values: Values,
  valuesPath: string,
  options: HelmOptions,
): Promise<number> {
  await writeFile(valuesPath, JSON.stringify(values, null, 2), { mode: 0o600 })
  const args = ['upgrade', '--install', name, chart, '--namespace', options.namespace]
  args.push('--values', valuesPath, '--kubeconfig', options.kubeconfigPath)
  args.push('--history-max', '5', '--output', 'json', '--hide-notes')
  // If we are killed Helm goes with us: a Helm that works on behind our back could meet the next run's.
  const { stdout } = await run('setpriv', ['--pdeathsig', 'KILL', options.helm, ...args], {
    limitSeconds: 120,
    // Helm's only caches: kept with the state, not in somebody's home.
    env: { HELM_CACHE_HOME: `${valuesPath}.cache`, KUBECACHEDIR: `${valuesPath}.cache` },
    ...(options.signal ? { signal: options.signal } : {}),
  })
  return (JSON.parse(stdout) as { version: number }).version // Helm's own output format
}

/** Whether helm failed for the connection's sake only, so that the same call may get through a moment later. */
export function isPassing(error: unknown): boolean {
  const words =
    /connection refused|connection reset|connection lost|unexpected EOF|no route to host|i\/o timeout|TLS handshake|apiserver not ready|etcdserver|too many requests|service unavailable|the server is currently unable|Kubernetes cluster unreachable/i
  return error instanceof CommandFailed && words.test(error.stderr)
}

/** The newest revision of every release in a namespace, in one question. */
export async function listReleases(api: KubernetesApi, namespace: string): Promise<Map<string, HelmRelease>> {
  const path = `/api/v1/namespaces/${namespace}/secrets?labelSelector=owner%3Dhelm`
  return newestReleases(await api.metadata(path))
}

/** The newest revision of every release, from the labels that Helm puts on its records. */
export function newestReleases(records: readonly ApiObject[]): Map<string, HelmRelease> {
  const newest = new Map<string, HelmRelease>()
  for (const { metadata } of records) {
    const { name, version, status } = metadata.labels ?? {}
    if (name === undefined || version === undefined || status === undefined) continue
    const revision = Number(version)
    if (revision > (newest.get(name)?.revision ?? 0)) newest.set(name, { name, revision, status })
  }
  return newest
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
  await api.remove(
    `/api/v1/namespaces/${namespace}/secrets/sh.helm.release.v1.${release.name}.v${release.revision}`,
  )
}

async function hashOf(directory: string): Promise<string> {
  const hash = createHash('sha256')
  const files = (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .toSorted()
  for (const file of files) {
    hash.update(`${file.slice(directory.length)}\0`)
    hash.update(await readFile(file))
  }
  return hash.digest('hex').slice(0, 16)
}
