// What would go wrong, found out before anything is installed: one message a cause, each with its remedy, instead of a time
// limit that passes minutes later.

import { CommandFailed } from '#host/command.ts'
import { inScratch } from '#host/scratch.ts'
import { IMAGE_REGISTRY } from '#images/references.ts'
import { kinds, type KubernetesObject } from '../../kubernetes/objects.ts'
import { PreflightFailed, ChartLockError, ChartNotFound } from '../errors.ts'
import { ourCharts } from '../sources/ours.ts'
import { helmProgram, renderChart } from '../releases/helm.ts'
import {
  checkPlacement,
  podGroupsOf,
  requestsOfPods,
  type Node,
  type PlacementProblem,
  type PodGroup,
  type Requests,
} from './capacity.ts'
import { checkObjects, needsOf, objectsIn, type ClusterObjects, type ObjectNeeds } from './objects.ts'
import { valuesOf } from '../plan/plan.ts'
import { type ChartSession, type SessionOptions } from '../session.ts'
import type { Values } from '../values/values.ts'

/** The pods that the plan's charts make, and what else they need. Needs no cluster: `up` asks for it while the machines are still off. */
export type RenderedPlan = { readonly pods: readonly PodGroup[]; readonly needs: readonly ObjectNeeds[] }

/**
 * Renders every chart of the plan in a temporary folder, without a cluster.
 *
 * @throws {PreflightFailed} with each chart that is missing or does not take its values
 * @throws what keeps every chart from being rendered: no helm, a full disk, the signal's reason
 */
export async function renderOffline(options: Omit<SessionOptions, 'kubeconfigPath'>): Promise<RenderedPlan> {
  const { plan, toolsDirectory, charts = ourCharts, signal } = options
  const helm = {
    helm: await helmProgram(toolsDirectory),
    namespace: plan.namespace,
    ...(signal ? { signal } : {}),
  }
  return inScratch(directory =>
    renderPlan({ plan, helm, unpack: release => charts.unpack(release.chart, directory) }),
  )
}

/**
 * Renders every chart of the plan.
 *
 * @throws {PreflightFailed} with each chart that is missing or does not take its values
 * @throws what keeps every chart from being rendered: no helm, a full disk, the signal's reason
 */
export async function renderPlan({
  plan,
  helm,
  unpack,
}: Pick<ChartSession, 'plan' | 'unpack'> & {
  readonly helm: Parameters<typeof renderChart>[3]
}): Promise<RenderedPlan> {
  const problems: PlacementProblem[] = []
  const pods: PodGroup[] = []
  const needs: ObjectNeeds[] = []
  // One after another: all at once would take both processors from the machines that boot meanwhile.
  for (const release of plan.releases) {
    try {
      const { path } = await unpack(release)
      const objects = objectsIn(await renderChart(release.name, path, valuesOf(release), helm))
      pods.push(...podGroupsOf(release.name, objects))
      needs.push(needsOf(release.name, objects))
    } catch (error) {
      helm.signal?.throwIfAborted()
      problems.push({ release: release.name, ...problemOf(release.chart, error) })
    }
  }
  if (problems.length > 0) throw new PreflightFailed(problems)
  return { pods, needs }
}

/** What keeps the rendered pods from finding a place, storage and configuration in the session's cluster. */
export async function checkCluster(
  { api, plan }: ChartSession,
  rendered: RenderedPlan,
): Promise<PlacementProblem[]> {
  type Pod = {
    metadata: {
      namespace: string
      annotations?: Readonly<Record<string, string>>
      deletionTimestamp?: string
    }
    spec: Values & { nodeName?: string }
    status?: { phase?: string }
  }
  const [nodes, pods] = await Promise.all([
    api.list<Node>(kinds.node, { isCached: true }),
    api.list<Pod>(kinds.pod, { isCached: true }),
  ])
  // While the control plane pivots it is there twice: the static copies, of which these are mirrors, will go.
  const lasts = ({ metadata, status }: Pod) =>
    metadata.deletionTimestamp === undefined &&
    metadata.annotations?.['kubernetes.io/config.mirror'] === undefined &&
    !['Succeeded', 'Failed'].includes(status?.phase ?? '')
  const others = pods.items.filter(pod => pod.metadata.namespace !== plan.namespace && lasts(pod))
  const used = new Map<string, Requests>()
  for (const [node, there] of Map.groupBy(others, ({ spec }) => spec.nodeName ?? ''))
    used.set(node, requestsOfPods(there.map(({ spec }) => spec)))
  const secrets = plan.secrets.filter(({ isOnlyInValues }) => isOnlyInValues !== true).map(({ name }) => name)
  return [
    ...checkPlacement(rendered.pods, nodes.items, used, IMAGE_REGISTRY),
    ...checkObjects(rendered.needs, await objectsOfCluster(api, plan.namespace, rendered), secrets),
  ]
}

/** What of storage and objects the cluster has, as far as the plan asks for any. */
async function objectsOfCluster(
  api: ChartSession['api'],
  namespace: string,
  { needs }: RenderedPlan,
): Promise<ClusterObjects> {
  type Class = { metadata: KubernetesObject['metadata'] & { annotations?: Readonly<Record<string, string>> } }
  type Volume = { spec?: { storageClassName?: string } }
  const hasClaims = needs.some(({ claims }) => claims.length > 0)
  const [classes, volumes, maps, secrets] = await Promise.all([
    hasClaims ? api.list<Class>(kinds.storageClass, { isCached: true }) : { items: [] },
    hasClaims ? api.list<Volume>(kinds.persistentVolume, { isCached: true }) : { items: [] },
    api.listMetadata({ ...kinds.configMap, namespace }),
    api.listMetadata({ ...kinds.secret, namespace }),
  ])
  const ofVolumes = volumes.items.flatMap(({ spec }) => spec?.storageClassName ?? [])
  return {
    classes: [...new Set([...classes.items.map(({ metadata }) => metadata.name), ...ofVolumes])],
    hasDefaultClass: classes.items.some(
      ({ metadata }) => metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true',
    ),
    names: new Set([
      ...maps.map(({ metadata }) => `ConfigMap ${metadata.name}`),
      ...secrets.map(({ metadata }) => `Secret ${metadata.name}`),
    ]),
  }
}

/** What is wrong with a chart. Throws what says nothing about it: no helm, a full disk, a Helm that was not done in time. */
function problemOf(chart: string, error: unknown): { what: string; remedy: string } {
  if (error instanceof ChartNotFound || error instanceof ChartLockError)
    return { what: error.message, remedy: 'Correct its name, where it is looked for, or what is pinned.' }
  if (error instanceof CommandFailed && error.stderr.includes('missing in charts/'))
    return {
      what: `its chart "${chart}" comes without a chart that it depends on: ${error.message}`,
      remedy: 'Build it where the charts come from: helm dependency build CHART.',
    }
  if (error instanceof CommandFailed && error.status !== null)
    return {
      what: `its chart "${chart}" does not render: ${error.message}`,
      remedy: 'Correct the values that it names.',
    }
  throw error
}
