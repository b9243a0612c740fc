// What would go wrong, found out before anything is installed: one message a cause, each with its remedy, instead of a time
// limit that passes minutes later.

import { CommandFailed } from '#host/command.ts'
import { inScratch } from '#host/scratch.ts'
import { IMAGE_REGISTRY } from '#images/references.ts'
import { kinds } from '../../kubernetes/objects.ts'
import {
  ChartFileError,
  ChartLockError,
  ChartNotFound,
  PreflightFailed,
  type PreflightProblem,
} from '../errors.ts'
import { ourCharts } from '../sources/ours.ts'
import { helmProgram, renderChart } from '../releases/helm.ts'
import {
  checkPlacement,
  podGroupsOf,
  requestsOfPods,
  type Node,
  type PodGroup,
  type Requests,
} from './capacity.ts'
import { checkAccepted } from './accepted.ts'
import { checkClashes, checkPublicPorts } from './clashes.ts'
import { checkPublished } from './published.ts'
import { checkPulls } from './pulls.ts'
import {
  checkObjects,
  classesOf,
  needsOf,
  type ClusterObjects,
  type ObjectNeeds,
  type StorageClass,
  type Volume,
} from './objects.ts'
import { objectsIn, type ReleaseObjects } from './rendered.ts'
import { checkWaits, kindsWaitedFor, type Present } from './waits.ts'
import { publishedTexts } from '../secrets/published.ts'
import { allDefaults } from '../values/defaults.ts'
import { valuesOf } from '../plan/plan.ts'
import { type ChartSession, type SessionOptions } from '../session.ts'
import type { Values } from '../values/values.ts'

/**
 * The objects that the plan's charts make, the pods of those, and what else they need. Needs no cluster: `up` asks for it while
 * the machines are still off.
 */
export type RenderedPlan = {
  readonly releases: readonly ReleaseObjects[]
  readonly pods: readonly PodGroup[]
  readonly needs: readonly ObjectNeeds[]
}

/**
 * Renders every chart of the plan in a temporary folder, without a cluster.
 *
 * @throws {PreflightFailed} with each chart that is missing or does not take its values
 * @throws what keeps every chart from being rendered: no helm, a full disk, the signal's reason
 */
export async function renderOffline(options: Omit<SessionOptions, 'kubeconfigPath'>): Promise<RenderedPlan> {
  const { plan, site, toolsDirectory, charts = ourCharts, signal } = options
  const helm = {
    helm: await helmProgram(toolsDirectory),
    namespace: plan.namespace,
    kubernetes: site.cluster.kubernetes,
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
  const problems: PreflightProblem[] = []
  const releases: ReleaseObjects[] = []
  // One after another: all at once would take both processors from the machines that boot meanwhile.
  for (const release of plan.releases) {
    try {
      const { path } = await unpack(release)
      const manifest = await renderChart(release.name, path, valuesOf(release), helm)
      const objects = objectsIn(manifest)
      const published = publishedTexts(release.chart, await allDefaults(path)).map(({ text }) => text)
      problems.push(...checkPublished(release.name, objects, published))
      releases.push({ release: release.name, objects })
    } catch (error) {
      helm.signal?.throwIfAborted()
      problems.push({ release: release.name, ...problemOf(release.chart, error) })
    }
  }
  if (problems.length > 0) throw new PreflightFailed(problems)
  return {
    releases,
    pods: releases.flatMap(({ release, objects }) => podGroupsOf(release, objects)),
    needs: releases.map(({ release, objects }) => needsOf(release, objects)),
  }
}

/**
 * What of the rendered plan cannot come up in any cluster of the site: objects in each other's way, waits for what no release
 * makes, images that machines neither have nor reach.
 */
export function checkOffline(
  { plan, site }: Pick<ChartSession, 'plan' | 'site'>,
  { releases, pods }: RenderedPlan,
): PreflightProblem[] {
  return [
    ...checkTogether(plan, releases),
    ...checkWaits(plan, releases),
    ...checkPulls(plan.releases, pods, site.openstack.registries),
  ]
}

/**
 * What keeps the rendered objects from coming up in the session's cluster: pods without a place, storage or configuration, waits
 * without an end, and with `asksServer` what the API server itself says against each object, a request each.
 */
export async function checkCluster(
  { api, plan, site }: ChartSession,
  rendered: RenderedPlan,
  { asksServer }: { readonly asksServer: boolean },
): Promise<PreflightProblem[]> {
  type Pod = {
    metadata: {
      name: string
      namespace: string
      labels?: Readonly<Record<string, string>>
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
  const present = [
    ...(await waitedForIn(api, kindsWaitedFor(plan.namespace, rendered.releases))),
    ...pods.items.map(({ metadata }) => ({ ...metadata, kind: 'Pod' as const })),
  ]
  return [
    ...checkTogether(plan, rendered.releases),
    ...checkPlacement(rendered.pods, nodes.items, used, IMAGE_REGISTRY),
    ...checkPulls(plan.releases, rendered.pods, site.openstack.registries, nodes.items),
    ...checkObjects(rendered.needs, await objectsOfCluster(api, plan.namespace, rendered), secrets),
    ...checkWaits(plan, rendered.releases, { present, nodes: nodes.items }),
    ...(asksServer ? await checkAccepted(api, plan.namespace, rendered.releases) : []),
  ]
}

/** What is looked at of the objects themselves, with a cluster and without one. */
function checkTogether(plan: ChartSession['plan'], releases: readonly ReleaseObjects[]): PreflightProblem[] {
  return [...checkClashes(plan.namespace, releases), ...checkPublicPorts(plan, releases)]
}

/** What the cluster has of these kinds, beside pods: our own charts wait for none of them, and the API is not asked. */
async function waitedForIn(api: ChartSession['api'], waited: ReadonlySet<string>): Promise<Present> {
  const asked = [kinds.service, kinds.job, kinds.daemonset].filter(({ kind }) => waited.has(kind))
  const lists = asked.map(async kind =>
    (await api.listMetadata(kind)).map(({ metadata: { name, namespace = '', labels = {} } }) => ({
      kind: kind.kind,
      name,
      namespace,
      labels,
    })),
  )
  return (await Promise.all(lists)).flat()
}

/** What of storage and objects the cluster has, as far as the plan asks for any. */
async function objectsOfCluster(
  api: ChartSession['api'],
  namespace: string,
  { needs }: RenderedPlan,
): Promise<ClusterObjects> {
  const hasClaims = needs.some(({ claims }) => claims.length > 0)
  const referred = [
    { ...kinds.configMap, namespace },
    { ...kinds.secret, namespace },
    { ...kinds.persistentVolumeClaim, namespace },
    { ...kinds.serviceAccount, namespace },
    kinds.priorityClass,
    kinds.runtimeClass,
  ].filter(({ kind }) => needs.some(({ wanted }) => wanted.some(({ name }) => name.startsWith(`${kind} `))))
  const [classes, volumes, ...objects] = await Promise.all([
    hasClaims ? api.list<StorageClass>(kinds.storageClass, { isCached: true }) : { items: [] },
    hasClaims ? api.list<Volume>(kinds.persistentVolume, { isCached: true }) : { items: [] },
    ...referred.map(async of => {
      const found = await api.listMetadata(of)
      return found.map(({ metadata }) => `${of.kind} ${metadata.name}`)
    }),
  ])
  return { ...classesOf(namespace, classes.items, volumes.items), names: new Set(objects.flat()) }
}

/** What is wrong with a chart. Throws what says nothing about it: no helm, a full disk, a Helm that was not done in time. */
function problemOf(chart: string, error: unknown): { what: string; remedy: string } {
  if (error instanceof ChartNotFound || error instanceof ChartLockError)
    return {
      what: error.message,
      remedy: error.remedy ?? 'Correct its name, where it is looked for, or what is pinned.',
    }
  if (error instanceof ChartFileError)
    return { what: error.message, remedy: error.remedy ?? 'Correct the file at the line that is named.' }
  if (error instanceof CommandFailed && error.stderr.includes('missing in charts/'))
    return {
      what: `its chart "${chart}" comes without a chart that it depends on: ${error.message}`,
      remedy: 'Build it where the charts come from: helm dependency build CHART.',
    }
  if (error instanceof CommandFailed && error.stderr.includes('kubeVersion'))
    return {
      what: `its chart "${chart}" is for another Kubernetes: ${error.message}`,
      remedy:
        'Take a version of the chart for this one: pilotlight charts lock SITE --chart-version CHART=VERSION.',
    }
  if (error instanceof CommandFailed && error.status !== null)
    return {
      what: `its chart "${chart}" does not render: ${error.message}`,
      remedy: 'Correct the values that it names.',
    }
  throw error
}
