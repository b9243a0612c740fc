// Helm, as we use it: which one, and `upgrade --install` without its own waiting. Readiness is never Helm's business: see gates/.

import { access, constants } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { CommandFailed, run } from '#host/command.ts'
import { Failure } from '#model/error.ts'
import type { Values } from '../values/values.ts'

/** The surroundings of a call of Helm. */
export type HelmOptions = {
  readonly kubeconfigPath: string
  readonly namespace: string
  /** The Kubernetes version that a chart renders for, `1.36.3`; without it Helm takes its own. */
  readonly kubernetes: string
  /** For Helm's own caches. */
  readonly directory: string
  /** The binary: a path, or a name on the PATH. */
  readonly helm: string
  readonly signal?: AbortSignal
}

/** The helm of the folder `tools`, or of PATH where it is not given or has none: a path or a name, for a command line. */
export async function helmProgram(tools: string | undefined): Promise<string> {
  if (tools === undefined) return 'helm'
  const path = join(resolve(tools), 'helm')
  return access(path).then(
    () => path,
    () => 'helm',
  )
}

/**
 * Looks whether there is a helm to run, before every chart is blamed for its absence.
 *
 * @throws {Failure} NO_HELM, with where to get one
 */
export async function requireHelm(tools: string | undefined): Promise<void> {
  const folders = [
    ...(tools === undefined ? [] : [resolve(tools)]),
    ...(process.env.PATH ?? '').split(delimiter),
  ]
  try {
    await Promise.any(folders.map(folder => access(join(folder, 'helm'), constants.X_OK)))
  } catch {
    const remedy = '`pilotlight images build` makes one, and prints its folder as "tools": --tools DIR'
    throw new Failure('NO_HELM', 'there is no helm, neither in --tools nor on PATH', remedy)
  }
}

/**
 * Installs or upgrades a release, and gives its new revision. Returns as soon as the objects are stored, and the chart's
 * hooks have run where it has some: `limitSeconds` is theirs. The values are in no file and on no command line.
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

/** Removes a release with its objects; returns once their deletion is requested. A release that is not there is fine. */
export async function uninstall(name: string, options: HelmOptions): Promise<void> {
  await callHelm(['uninstall', name, '--ignore-not-found'], options)
}

/** The objects that a chart makes of these values, as YAML. No cluster is asked. */
export async function renderChart(
  name: string,
  chart: string,
  values: Values,
  { helm, namespace, kubernetes, signal }: Omit<HelmOptions, 'kubeconfigPath' | 'directory'>,
): Promise<string> {
  const args = [
    'template',
    name,
    chart,
    '--namespace',
    namespace,
    '--kube-version',
    kubernetes,
    '--values',
    '-',
  ]
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
  const cache = join(directory, '.cache') // not in the user's home
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

/**
 * Whether Helm failed only because the API could not be reached, so that the same call may succeed shortly after. That
 * includes an API server that stops in the pivot: its calls to itself reach its successor, whose loopback certificate it does
 * not know, and it answers "failed to allocate IP: … x509".
 */
export function isPassing(error: unknown): boolean {
  const words =
    /connection refused|connection reset|connection lost|unexpected EOF|no route to host|i\/o timeout|TLS handshake|apiserver not ready|etcdserver|too many requests|service unavailable|the server is currently unable|failed to allocate IP|Kubernetes cluster unreachable/i
  return error instanceof CommandFailed && words.test(error.stderr)
}
