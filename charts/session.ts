// What every verb of the chart stage works with: the cluster's API, the site's store, Helm, and the locks of the releases
// that it changes. Opened for one verb, closed whatever happens.

import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Site } from '#site/site.ts'
import { connectApi } from './api.ts'
import type { ApiObject, KubernetesApi } from './api.ts'
import type { HelmOptions } from './helm.ts'
import { lockReleases } from './lock.ts'
import type { ChartPlan } from './plan.ts'
import { ChartStore } from './store.ts'

/** What a verb is told. */
export type SessionOptions = {
  readonly site: Site
  readonly plan: ChartPlan
  readonly kubeconfigPath: string
  /** Where secrets, journal and rendered charts of this site are kept. */
  readonly stateDirectory: string
  /** Where helm lies; on the PATH unless told, or unless it is not there. */
  readonly toolsDirectory?: string
  readonly signal?: AbortSignal
}

/** One verb at work. */
export type ChartSession = Pick<SessionOptions, 'site' | 'plan' | 'stateDirectory' | 'signal'> & {
  readonly api: KubernetesApi
  readonly store: ChartStore
  readonly helm: HelmOptions
  /** Where charts are put together. */
  readonly chartsDirectory: string
}

/**
 * Runs `work` in a session that holds the locks of the releases `changing`.
 *
 * @throws {ChartsLocked} while another process changes one of them
 */
export async function withSession<T>(
  options: SessionOptions,
  changing: readonly string[],
  work: (session: ChartSession) => Promise<T>,
): Promise<T> {
  const { site, plan, kubeconfigPath, stateDirectory, signal } = options
  const unlock = lockReleases(stateDirectory, changing)
  let api: KubernetesApi | undefined
  let store: ChartStore | undefined
  try {
    api = await connectApi(kubeconfigPath)
    store = new ChartStore(stateDirectory)
    const chartsDirectory = join(stateDirectory, 'charts')
    const helm = {
      kubeconfigPath,
      namespace: plan.namespace,
      helm: await helmIn(options.toolsDirectory),
      directory: chartsDirectory,
      ...(signal ? { signal } : {}),
    }
    return await work({
      site,
      plan,
      stateDirectory,
      api,
      store,
      helm,
      chartsDirectory,
      ...(signal ? { signal } : {}),
    })
  } finally {
    store?.close()
    api?.close()
    unlock()
  }
}

/** What tells this cluster from any other: the UID of its kube-system namespace. */
export async function clusterId(api: KubernetesApi): Promise<string> {
  const system = await api.get<ApiObject>('/api/v1/namespaces/kube-system')
  return system?.metadata.uid ?? ''
}

async function helmIn(toolsDirectory: string | undefined): Promise<string> {
  if (toolsDirectory === undefined) return 'helm'
  const path = join(toolsDirectory, 'helm')
  return access(path).then(
    () => path,
    () => 'helm',
  )
}
