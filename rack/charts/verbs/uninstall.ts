// Taking OpenStack away again: release by release in the reverse order of the needs, never under running servers unless
// asked to, and with `purge` what it left on the machines and in the cluster, too.

import type { Stage } from '#progress/stage.ts'
import { messageOf, waitUntil } from '#progress/wait.ts'
import { kinds } from '../../kubernetes/objects.ts'
import { ChartPlanError, ChartsFailed, RemovalRefused } from '../errors.ts'
import { factsOf } from '../plan/facts.ts'
import { runGraph, type Step } from '../plan/graph.ts'
import { listReleases } from '../releases/records.ts'
import { uninstall, upgradeInstall } from '../releases/helm.ts'
import { namespaceObject } from '../namespace.ts'
import { NamespaceView } from '../../kubernetes/namespace-view.ts'
import { connectAdmin } from '../../openstack/client.ts'
import { listServers } from '../../openstack/compute.ts'
import { groupOf, valuesOf, type ChartPlan, type ReleasePlan } from '../plan/plan.ts'
import { purgeRelease } from '../services/purge/plan.ts'
import { ReleaseWatch } from '../gates/release-watch.ts'
import { adminPassword } from '../secrets/secrets.ts'
import { clusterId, withSession, type ChartSession, type SessionOptions } from '../session.ts'

/** What is to be removed, and how far. */
export type RemovalOptions = SessionOptions & {
  readonly stage: Stage
  /** Removes only these releases; all by default. */
  readonly only?: readonly string[]
  /** Continues although servers run, or it is unknown whether they do. */
  readonly force: boolean
  /** Cleans the machines too, and removes namespace and Secrets. The site's own store stays. */
  readonly purge: boolean
}

/** The releases that were removed, in that order. */
export type RemovalResult = { readonly removed: readonly string[]; readonly purged: boolean }

/** Seconds in which the pods of a release must be gone. */
const goneSeconds = 180

/**
 * Removes the releases.
 *
 * @throws {RemovalRefused} while servers exist, or others need what is to go; nothing was touched then
 */
export async function removeCharts(options: RemovalOptions): Promise<RemovalResult> {
  const names = options.only ?? options.plan.releases.map(({ name }) => name)
  return withSession(options, names, async session => {
    const { api, plan } = session
    const releases = await listReleases(api, plan.namespace)
    const there = plan.releases.filter(({ name }) => releases.has(name))
    refuseNeeded(names, there, plan)
    if (!options.force && there.some(({ name }) => name === 'nova' && names.includes(name)))
      await refuseServers(session)
    const chosen = there.filter(({ name }) => names.includes(name))
    const removed = await removeAll(session, chosen, options.stage)
    if (options.purge) await purge(session, options.stage)
    return { removed, purged: options.purge }
  })
}

/** The order of removal: what needs something goes before it; members of a group go together. */
export function removalSteps(releases: readonly ReleasePlan[]): Step[] {
  return releases.map(({ name }) => ({
    id: name,
    needs: releases
      .filter(
        other => other.needs.includes(name) && !groupOf(other, releases).some(member => member.name === name),
      )
      .map(other => other.name),
  }))
}

function refuseNeeded(names: readonly string[], there: readonly ReleasePlan[], plan: ChartPlan): void {
  const unknown = names.find(name => plan.releases.every(it => it.name !== name))
  if (unknown !== undefined)
    throw new ChartPlanError(
      `The plan has no release "${unknown}". It has: ${plan.releases.map(({ name }) => name).join(' ')}.`,
    )
  const left = there.filter(({ name }) => !names.includes(name))
  for (const { name, needs } of left) {
    const lost = needs.find(need => names.includes(need))
    if (lost !== undefined)
      throw new RemovalRefused(
        `Release ${name} needs ${lost}.`,
        `Name both, or leave both: pilotlight charts uninstall … ${lost} ${name}`,
      )
  }
}

async function refuseServers({ site, stateDirectory }: ChartSession): Promise<void> {
  const servers = await connectAdmin(site, (await adminPassword(stateDirectory)) ?? '')
    .then(listServers)
    .catch((cause: unknown) => {
      throw new RemovalRefused(
        `Nova does not say whether there are servers: ${messageOf(cause)}.`,
        'Fix it, or remove it all the same with --force.',
      )
    })
  if (servers.length === 0) return
  const some = servers.slice(0, 5).map(({ name }) => name)
  const more = servers.length > some.length ? ` and ${servers.length - some.length} more` : ''
  throw new RemovalRefused(
    `There are ${servers.length} servers: ${some.join(', ')}${more}.`,
    'Delete them first. With --force they end with their hosts’ libvirt, and their disks go with --purge.',
  )
}

async function removeAll(
  session: ChartSession,
  chosen: readonly ReleasePlan[],
  stage: Stage,
): Promise<string[]> {
  const removed: string[] = []
  const cluster = await clusterId(session.api)
  const view = new NamespaceView(session.api, session.plan.namespace)
  try {
    const steps = removalSteps(chosen)
    const { errors } = await runGraph(steps, async ({ id }) => {
      const work = stage.child(id)
      try {
        await removeOne(session, id, view, work)
        const at = Date.now()
        session.store.addStep({ at, release: id, phase: 'removed', cluster, hash: '' })
        removed.push(id)
        work.done()
      } catch (error) {
        work.failed(error)
        throw error
      }
    })
    if (errors.size === 0) return removed
    const causes = [...errors].map(([name, error]) => ({ release: name, message: messageOf(error) }))
    throw new ChartsFailed(causes, [])
  } finally {
    view.close()
  }
}

async function removeOne(
  { helm, signal }: ChartSession,
  name: string,
  view: NamespaceView,
  stage: Stage,
): Promise<void> {
  stage.waiting('helm uninstall')
  await uninstall(name, helm)
  const limits = { limitSeconds: goneSeconds, stage, ...(signal ? { signal } : {}) }
  await waitUntil(`the pods of ${name} end`, limits, async () => {
    const { pods } = await view.look()
    const left = pods.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/instance'] === name)
    return left.length === 0 ? { value: true } : { not: left.map(({ metadata }) => metadata.name).join(' ') }
  })
}

/** Runs the chart `purge` on every node, then removes namespace and Secrets. */
async function purge(session: ChartSession, above: Stage): Promise<void> {
  const { api, helm, plan, site, signal } = session
  const stage = above.child('purge')
  const release = purgeRelease(factsOf(site))
  const watch = new ReleaseWatch(session, {})
  const namespace = { ...kinds.namespace, name: plan.namespace }
  try {
    // An earlier purge may have taken it.
    await api.apply(namespaceObject(plan.namespace))
    const { path } = await session.unpack(release)
    await upgradeInstall(release.name, path, valuesOf(release), helm)
    await watch.untilKept(release, stage)
    await removeOne(session, release.name, watch.view, stage)
  } catch (error) {
    stage.failed(error)
    throw error
  } finally {
    watch.close()
  }
  await api.remove(namespace)
  const limits = { limitSeconds: goneSeconds, stage, ...(signal ? { signal } : {}) }
  await waitUntil(`namespace ${plan.namespace} ends`, limits, async () =>
    (await api.read(namespace)) === undefined ? { value: true } : { not: 'its objects are being removed' },
  )
  stage.done('machines, namespace and Secrets')
}
