// The bring-up: waits for what the machines do by themselves, and does what only an administrator can. Every step
// looks at the cluster as it is, so after any failure the whole is simply run again.
//
// Nothing here stops the temporary control plane. Each controller's checkpointer does that by itself, once the
// self-hosted copy of a component answers beside the static one; so a lost administrator leaves no half pivot.

import type { V1DaemonSet, V1Deployment, V1Lease, V1Node, V1Pod } from '@kubernetes/client-node'
import type { Stage } from '#progress/stage.ts'
import { messageOf, waitUntil, type Seen, type WaitOptions } from '#progress/wait.ts'
import { machinesOf, type Site } from '../site/site.ts'
import { connect, getText, readiness, type ClusterClient } from './client.ts'
import { ApiRefused, NodeMismatch } from './errors.ts'
import { all, identify, judgeDaemonSet, judgeDeployment, judgeNodes, labelledNode } from './judge.ts'
import { adminKubeconfig, renderKubeconfig, writeKubeconfig } from './kubeconfig.ts'
import { administrators } from './manifests/access.ts'
import { clusterManifests } from './manifests/all.ts'
import { copyLabel } from './manifests/control-plane.ts'
import type { Manifest } from './manifests/object.ts'
import { apiUrl } from './network.ts'
import { mintAdministrator, type Pki } from './pki.ts'
import { planCluster, type ClusterStep, type ClusterStepId } from './plan.ts'

/** What the bring-up needs. */
export type BringUp = {
  readonly site: Site
  readonly pki: Pki
  /** Where the administrator's kubeconfig is written, for the API address of the site. */
  readonly kubeconfigPath: string
  readonly stage: Stage
  readonly signal?: AbortSignal
  /** The API's URL when it is not at the site's address, as in a test. */
  readonly server?: string
  /** Told of each step that is done: who waits for less than the whole may go on. */
  readonly reached?: (step: ClusterStepId) => void
}

/**
 * Makes a cluster of machines whose kubelets run: ends with labelled nodes that are Ready and a control plane that
 * is self-hosted. Safe to run again, at any time and from any point.
 *
 * @throws {WaitedTooLong} when a step's limit has passed, with what was seen last
 * @throws {NodeMismatch} when a node is not the machine that the site declares
 * @throws {ApiRefused} when the API refuses an object as invalid
 */
export async function bringUp(options: BringUp): Promise<void> {
  const { site, pki, stage } = options
  const server = options.server ?? apiUrl(site)
  await writeKubeconfig(options.kubeconfigPath, pki, server)
  const client = connect(adminKubeconfig(pki, server)) // the library loads while the machines still start
  client.catch(() => {}) // reported by the step that awaits it
  try {
    for (const step of planCluster(site)) {
      await inStep(stage, step, options.signal, wait => actions[step.id]({ site, pki, server, wait, client }))
      options.reached?.(step.id)
    }
  } finally {
    const opened = await client.catch(() => undefined)
    await opened?.close()
  }
}

type Context = {
  readonly site: Site
  readonly pki: Pki
  readonly server: string
  readonly wait: WaitOptions
  readonly client: Promise<ClusterClient>
}

/** What each step does; gives a note on what it found in the end. */
const actions: Readonly<Record<ClusterStepId, (context: Context) => Promise<string>>> = {
  api: waitForApi,
  objects: applyObjects,
  nodes: labelNodes,
  'control-plane': waitForControlPlane,
  pivot: waitForPivot,
  network: waitForNodes,
  dns: waitForDns,
  verify,
}

async function inStep(
  parent: Stage,
  step: ClusterStep,
  signal: AbortSignal | undefined,
  work: (wait: WaitOptions) => Promise<string>,
): Promise<void> {
  const stage = parent.child(step.title)
  const aborted = signal === undefined ? {} : { signal }
  try {
    stage.done(await work({ limitSeconds: step.limitSeconds, everyMs: 250, stage, ...aborted }))
  } catch (error) {
    stage.failed(error)
    throw error
  }
}

async function waitForApi({ pki, server, wait }: Context): Promise<string> {
  await waitUntil('API server', wait, async () => {
    const said = await readiness(server, pki, wait.signal)
    return said === 'ok' ? { value: said } : { not: said }
  })
  return server
}

async function applyObjects({ site, pki, server, wait, client }: Context): Promise<string> {
  const admin = await client
  await allowAdministrators(admin, { pki, server, wait })
  const manifests = clusterManifests(site)
  for (const manifest of manifests) await applyWithRetry(admin, manifest, wait)
  return `${manifests.length + administrators().length} objects`
}

/**
 * Gives the administrators their right. In a new cluster only the group that is built into the API server may do that:
 * its certificate is minted for this one step, and kept nowhere.
 */
async function allowAdministrators(
  admin: ClusterClient,
  { pki, server, wait }: Pick<Context, 'pki' | 'server' | 'wait'>,
): Promise<void> {
  try {
    for (const manifest of administrators()) await admin.apply(manifest)
    return
  } catch {
    // Not yet an administrator, or the API was away for a moment: the retries below tell.
  }
  const { certificate } = pki.authorities.ca
  const pair = await mintAdministrator(pki.authorities.ca, 'break-glass')
  const breakGlass = await connect(renderKubeconfig(server, certificate, 'break-glass', pair))
  try {
    for (const manifest of administrators()) await applyWithRetry(breakGlass, manifest, wait)
  } finally {
    await breakGlass.close()
  }
}

/** An object that the server calls invalid is our fault and stays so; anything else may pass. */
async function applyWithRetry(client: ClusterClient, manifest: Manifest, wait: WaitOptions): Promise<void> {
  const invalid = await waitUntil(`${manifest.kind} ${manifest.metadata.name}`, wait, async () => {
    try {
      await client.apply(manifest)
      return { value: undefined }
    } catch (error) {
      if (error instanceof ApiRefused && [400, 413, 415, 422].includes(error.status)) return { value: error }
      throw error
    }
  })
  if (invalid !== undefined) throw invalid
}

async function labelNodes({ site, wait, client }: Context): Promise<string> {
  const admin = await client
  const labelled = new Set<string>()
  const mismatch = await waitUntil('nodes', wait, async (): Promise<Seen<NodeMismatch | undefined>> => {
    const nodes = await admin.list<V1Node>('v1', 'Node')
    for (const machine of site.machines) {
      const node = nodes.find(node => node.metadata?.name === machine.name)
      if (node === undefined || labelled.has(machine.name)) continue
      const identity = identify(machine, node)
      if (identity.kind === 'unknown') continue
      if (identity.kind === 'other') return { value: new NodeMismatch(machine.name, identity.why) }
      await admin.apply(labelledNode(site, machine))
      labelled.add(machine.name)
    }
    const missing = site.machines.filter(machine => !labelled.has(machine.name)).map(machine => machine.name)
    const counted = `${labelled.size} of ${site.machines.length} registered`
    return missing.length === 0 ? { value: undefined } : { not: `${counted}; missing: ${missing.join(', ')}` }
  })
  if (mismatch !== undefined) throw mismatch
  return `${labelled.size} nodes`
}

async function waitForControlPlane({ site, wait, client }: Context): Promise<string> {
  const admin = await client
  const controllers = machinesOf(site, 'controller').length
  const inKubeSystem = { apiVersion: 'apps/v1', namespace: 'kube-system' } as const
  const deployment = (name: string) =>
    admin.read<V1Deployment>({ ...inKubeSystem, kind: 'Deployment', name }).then(judgeDeployment)
  return waitUntil('control plane', wait, async () =>
    all([
      judgeDaemonSet(
        await admin.read<V1DaemonSet>({ ...inKubeSystem, kind: 'DaemonSet', name: 'kube-apiserver' }),
        controllers,
      ),
      await deployment('kube-controller-manager'),
      await deployment('kube-scheduler'),
    ]),
  )
}

async function waitForPivot({ wait, client }: Context): Promise<string> {
  const admin = await client
  const where = { namespace: 'kube-system', selector: `${copyLabel}=static` }
  await waitUntil('static copies', wait, async () => {
    const pods = await admin.list<V1Pod>('v1', 'Pod', where)
    const names = pods.map(pod => pod.metadata?.name ?? '')
    return names.length === 0 ? { value: undefined } : { not: `still running: ${names.join(', ')}` }
  })
  const leaders: string[] = []
  for (const component of ['kube-controller-manager', 'kube-scheduler']) {
    leaders.push(await waitForLeader(admin, component, wait))
  }
  return `led by ${[...new Set(leaders)].join(', ')}`
}

/** The machine whose copy of `component` leads now: one that renews its lease while we look. */
async function waitForLeader(admin: ClusterClient, component: string, wait: WaitOptions): Promise<string> {
  const key = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: 'kube-system',
    name: component,
  }
  let first: { readonly holder: string; readonly renewed: string } | undefined
  return waitUntil(`leader of ${component}`, wait, async () => {
    const spec = (await admin.read<V1Lease>(key))?.spec
    const holder = spec?.holderIdentity ?? ''
    const renewed = String(spec?.renewTime ?? '')
    if (holder === '') return { not: 'not elected yet' }
    if (first?.holder !== holder) first = { holder, renewed }
    if (renewed === first.renewed) return { not: `${holder} has not renewed its lease yet` }
    return { value: holder.split('_')[0] ?? holder }
  })
}

async function waitForNodes({ site, wait, client }: Context): Promise<string> {
  const admin = await client
  return waitUntil('nodes', wait, async () =>
    judgeNodes(site.machines, await admin.list<V1Node>('v1', 'Node')),
  )
}

async function waitForDns({ wait, client }: Context): Promise<string> {
  const admin = await client
  const key = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'kube-system', name: 'coredns' }
  return waitUntil('DNS', wait, async () => judgeDeployment(await admin.read<V1Deployment>(key)))
}

async function verify({ site, pki, server, wait, client }: Context): Promise<string> {
  const admin = await client
  return waitUntil('verification', wait, async () => {
    const kubelets = site.machines.map(async ({ name }): Promise<Seen<string>> => {
      const path = `/api/v1/nodes/${name}/proxy/healthz`
      const { status, text } = await getText(server, path, pki, wait.signal)
      return status === 200 ? { value: name } : { not: `kubelet of ${name} answers ${status}: ${text}` }
    })
    const api = readiness(server, pki, wait.signal).catch(messageOf)
    const [said, ...answers] = await Promise.all([api, ...kubelets])
    return all([
      said === 'ok' ? { value: 'API ready' } : { not: `API: ${said}` },
      ...answers,
      judgeNodes(site.machines, await admin.list<V1Node>('v1', 'Node')),
    ])
  })
}
