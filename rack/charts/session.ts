// What every verb of the chart stage works with: the cluster's API, the site's store, Helm, and the locks of the releases
// that it changes. Opened for one verb, closed whatever happens.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { takeLock, type Unlock } from '#host/lock.ts'
import { inScratch } from '#host/scratch.ts'
import type { Site } from '../site/site.ts'
import { ChartsLocked } from './errors.ts'
import { connect } from '../kubernetes/connect.ts'
import { kinds, type KubernetesObject } from '../kubernetes/objects.ts'
import type { KubernetesClient } from '../kubernetes/client.ts'
import { ourCharts, type ChartSource, type UnpackedChart } from './sources/ours.ts'
import { helmProgram, type HelmOptions } from './releases/helm.ts'
import type { ChartPlan, ReleasePlan } from './plan/plan.ts'
import { ChartStore } from './store.ts'

/** The options of a verb. */
export type SessionOptions = {
  readonly site: Site
  readonly plan: ChartPlan
  readonly kubeconfigPath: string
  /** Where secrets, steps and rendered charts of this site are kept. */
  readonly stateDirectory: string
  /** The folder of helm; without it, or if helm is not in it, the PATH is searched. */
  readonly toolsDirectory?: string
  /** Where the plan's charts come from; our own by default. */
  readonly charts?: ChartSource
  readonly signal?: AbortSignal
}

/** What a running verb works with. */
export type ChartSession = Pick<SessionOptions, 'site' | 'plan' | 'stateDirectory' | 'signal'> & {
  readonly api: KubernetesClient
  readonly store: ChartStore
  readonly helm: HelmOptions
  /** Puts the chart of a release where Helm reads it. */
  readonly unpack: (release: ReleasePlan) => Promise<UnpackedChart>
}

/**
 * Runs `work` in a session that holds the locks of the releases `changing`. One that changes none puts its charts
 * together in a temporary folder.
 *
 * @throws {ChartsLocked} while another process changes one of them
 */
export async function withSession<T>(
  options: SessionOptions,
  changing: readonly string[],
  work: (session: ChartSession) => Promise<T>,
): Promise<T> {
  const unlock = lockReleases(options.stateDirectory, changing)
  try {
    if (changing.length > 0) return await runIn(join(options.stateDirectory, 'charts'), options, work)
    return await inScratch(directory => runIn(directory, options, work))
  } finally {
    unlock()
  }
}

/** Runs `work` with a session that puts its charts together in a folder. */
async function runIn<T>(
  directory: string,
  options: SessionOptions,
  work: (session: ChartSession) => Promise<T>,
): Promise<T> {
  const { site, plan, kubeconfigPath, stateDirectory, signal } = options
  let api: KubernetesClient | undefined
  let store: ChartStore | undefined
  try {
    api = await connect(await readFile(kubeconfigPath, 'utf8'))
    store = new ChartStore(stateDirectory)
    const { charts = ourCharts } = options
    const helm = {
      kubeconfigPath,
      namespace: plan.namespace,
      kubernetes: site.cluster.kubernetes,
      helm: await helmProgram(options.toolsDirectory),
      directory,
      ...(signal ? { signal } : {}),
    }
    return await work({
      site,
      plan,
      stateDirectory,
      api,
      store,
      helm,
      unpack: release => charts.unpack(release.chart, directory),
      ...(signal ? { signal } : {}),
    })
  } finally {
    store?.close()
    await api?.close()
  }
}

/**
 * Takes the locks of these releases in a state directory, all or none, and gives what releases them.
 *
 * @throws {ChartsLocked} while a living process holds one of them
 */
export function lockReleases(stateDirectory: string, releases: readonly string[]): Unlock {
  const taken: Unlock[] = []
  const unlock = () => {
    for (const one of taken.splice(0)) one()
  }
  try {
    for (const name of releases.toSorted()) {
      const path = join(stateDirectory, 'locks', `${name}.lock`)
      taken.push(takeLock(path, holder => new ChartsLocked(name, holder, path)))
    }
    return unlock
  } catch (error) {
    unlock()
    throw error
  }
}

/** What identifies this cluster: the UID of its kube-system namespace. */
export async function clusterId(api: KubernetesClient): Promise<string> {
  const system = await api.read<KubernetesObject>({ ...kinds.namespace, name: 'kube-system' })
  return system?.metadata.uid ?? ''
}
