// The bring-up: waits for what the machines do by themselves, and does what only an administrator can. Every step
// looks at the cluster as it is, so after any failure the whole is simply run again.
//
// Nothing here stops the temporary control plane. Each controller's checkpointer does that by itself, once the
// self-hosted copy of a component answers beside the static one; so a lost administrator leaves no half pivot.

import type { Stage } from '#progress/stage.ts'
import { messageOf, waitUntil, type Seen, type WaitOptions } from '#progress/wait.ts'
import { askReadiness, connect } from '../kubernetes/connect.ts'
import type { KubernetesClient } from '../kubernetes/client.ts'
import { ClusterUnreachable, KubernetesRefused } from '../kubernetes/errors.ts'
import { judgeDaemonset, judgeDeployment, judgeNodes } from '../kubernetes/judge.ts'
import {
  kinds,
  type Daemonset,
  type KubernetesObject,
  type Lease,
  type Manifest,
  type Node,
  type Workload,
} from '../kubernetes/objects.ts'
import { ready, seenTogether, waiting, type Readiness } from '../kubernetes/readiness.ts'
import { machinesOf, type Site } from '../site/site.ts'
import { NodeMismatch } from './errors.ts'
import { adminKubeconfig, renderKubeconfig, writeKubeconfig } from './kubeconfig.ts'
import { administrators } from './manifests/access.ts'
import { clusterManifests } from './manifests/all.ts'
import { copyLabel } from './manifests/control-plane.ts'
import { apiUrl } from './network.ts'
import { matchNode, labelledNode } from './nodes.ts'
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
  readonly booting?: Booting
  /** Called after each step, for a caller that needs less than the whole. */
  readonly reached?: (step: ClusterStepId) => void
}

/**
 * Machines that still boot, and the seconds that a boot may take. A compute machine that installs itself needs minutes more than the
 * controller: the limit for its node begins once no machine boots any more.
 */
export type Booting = { readonly names: ReadonlySet<string>; readonly limitSeconds: number }

/**
 * Makes a cluster of machines whose kubelets run: ends with labelled nodes that are Ready and a control plane that
 * is self-hosted. Safe to run again, at any time and from any point.
 *
 * @throws {WaitedTooLong} when a step's limit has passed, with what was seen last
 * @throws {NodeMismatch} when a node is not the machine that the site declares
 * @throws {KubernetesRefused} when the API refuses an object as invalid
 */
export async function bringUp(options: BringUp): Promise<void> {
  const { site, pki, stage } = options
  const server = options.server ?? apiUrl(site)
  await writeKubeconfig(options.kubeconfigPath, pki, server)
  const client = connect(adminKubeconfig(pki, server)) // loads the library, while the API server still starts
  client.catch(() => {}) // reported by the step that awaits it
  try {
    for (const step of planCluster(site)) {
      await inStep(stage, step, options.signal, wait =>
        actions[step.id]({ site, pki, server, wait, client, booting: options.booting }),
      )
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
  readonly client: Promise<KubernetesClient>
  readonly booting: Booting | undefined
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

async function waitForApi({ server, wait, client }: Context): Promise<string> {
  const admin = await client
  await waitUntil('API server', wait, async () => seenTogether([await judgeApi(admin, wait.signal)]))
  return server
}

/** Whether the API calls itself ready; otherwise what it lacks, or why it does not answer. */
async function judgeApi(admin: KubernetesClient, signal: AbortSignal | undefined): Promise<Readiness> {
  const said = await askReadiness(admin, signal).catch((error: unknown) =>
    error instanceof ClusterUnreachable ? error.reason : messageOf(error),
  )
  return said === 'ok' ? ready('API ready') : waiting(said)
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
 * its certificate is issued for this one step, and kept nowhere.
 */
async function allowAdministrators(
  admin: KubernetesClient,
  { pki, server, wait }: Pick<Context, 'pki' | 'server' | 'wait'>,
): Promise<void> {
  try {
    for (const manifest of administrators()) await admin.apply(manifest)
    return
  } catch {
    // Not yet an administrator, or the API did not answer for a short time: the retries below find out.
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
async function applyWithRetry(
  client: KubernetesClient,
  manifest: Manifest,
  wait: WaitOptions,
): Promise<void> {
  const invalid = await waitUntil(`${manifest.kind} ${manifest.metadata.name}`, wait, async () => {
    try {
      await client.apply(manifest)
      return { value: undefined }
    } catch (error) {
      if (error instanceof KubernetesRefused && [400, 413, 415, 422].includes(error.status))
        return { value: error }
      throw error
    }
  })
  if (invalid !== undefined) throw invalid
}

async function labelNodes({ site, wait, client, booting }: Context): Promise<string> {
  return registerNodes(site, await client, wait, booting)
}

/**
 * Waits for the node of each machine, and labels it by the machine's role; gives how many there are.
 *
 * @throws {WaitedTooLong} when the limit has passed since the last boot ended, with the nodes that are missing
 * @throws {NodeMismatch} when a node is not the machine that the site declares
 */
export async function registerNodes(
  site: Site,
  admin: Pick<KubernetesClient, 'list' | 'apply'>,
  wait: WaitOptions,
  booting?: Booting,
): Promise<string> {
  const labelled = new Set<string>()
  const look = async (): Promise<Seen<NodeMismatch | undefined>> => {
    const nodes = await listNodes(admin)
    for (const machine of site.machines) {
      const node = nodes.find(({ metadata }) => metadata.name === machine.name)
      if (node === undefined || labelled.has(machine.name)) continue
      const match = matchNode(machine, node)
      if (match.kind === 'unknown') continue
      if (match.kind === 'other') return { value: new NodeMismatch(machine.name, match.why) }
      await admin.apply(labelledNode(site, machine))
      labelled.add(machine.name)
    }
    const missing = site.machines.filter(machine => !labelled.has(machine.name)).map(machine => machine.name)
    const counted = `${labelled.size} of ${site.machines.length} registered`
    return missing.length === 0 ? { value: undefined } : { not: `${counted}; missing: ${missing.join(', ')}` }
  }
  if (booting !== undefined) {
    // A boot that takes too long ends by itself, and `up` with it.
    const limitSeconds = booting.limitSeconds + wait.limitSeconds
    await waitUntil('nodes', { ...wait, limitSeconds }, async () => {
      const seen = booting.names.size === 0 ? { value: undefined } : await look()
      return 'value' in seen ? { value: undefined } : seen
    })
  }
  const mismatch = await waitUntil('nodes', wait, look)
  if (mismatch !== undefined) throw mismatch
  return `${labelled.size} nodes`
}

async function waitForControlPlane({ site, wait, client }: Context): Promise<string> {
  const admin = await client
  const controllers = machinesOf(site, 'controller').length
  const name = 'kube-apiserver'
  const key = { ...kinds.daemonset, namespace: 'kube-system', name }
  return waitUntil('control plane', wait, async () =>
    seenTogether([
      judgeDaemonset(name, await admin.read<Daemonset>(key), withoutPods(), controllers),
      await lookAtDeployment(admin, 'kube-controller-manager'),
      await lookAtDeployment(admin, 'kube-scheduler'),
    ]),
  )
}

async function lookAtDeployment(admin: KubernetesClient, name: string): Promise<Readiness> {
  const key = { ...kinds.deployment, namespace: 'kube-system', name }
  return judgeDeployment(name, await admin.read<Workload>(key), withoutPods())
}

/** The bring-up looks at no pods: its steps have limits, and their reasons are in the counts. */
function withoutPods() {
  return { pods: [], now: Date.now() }
}

async function waitForPivot({ wait, client }: Context): Promise<string> {
  const admin = await client
  const copies = { ...kinds.pod, namespace: 'kube-system', labels: `${copyLabel}=static` }
  await waitUntil('static copies', wait, async () => {
    const { items } = await admin.list<KubernetesObject>(copies)
    const names = items.map(({ metadata }) => metadata.name)
    return names.length === 0 ? { value: undefined } : { not: `still running: ${names.join(', ')}` }
  })
  const leaders: string[] = []
  for (const component of ['kube-controller-manager', 'kube-scheduler']) {
    leaders.push(await waitForLeader(admin, component, wait))
  }
  return `led by ${[...new Set(leaders)].join(', ')}`
}

/** The machine whose copy of `component` leads now: one that renews its lease while we look. */
async function waitForLeader(admin: KubernetesClient, component: string, wait: WaitOptions): Promise<string> {
  const key = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: 'kube-system',
    name: component,
  }
  let first: { readonly holder: string; readonly renewed: string } | undefined
  return waitUntil(`leader of ${component}`, wait, async () => {
    const spec = (await admin.read<Lease>(key))?.spec
    const holder = spec?.holderIdentity ?? ''
    const renewed = spec?.renewTime ?? ''
    if (holder === '') return { not: 'not elected yet' }
    if (first?.holder !== holder) first = { holder, renewed }
    if (renewed === first.renewed) return { not: `${holder} has not renewed its lease yet` }
    return { value: holder.split('_')[0] ?? holder }
  })
}

async function waitForNodes({ site, wait, client }: Context): Promise<string> {
  const admin = await client
  return waitUntil('nodes', wait, async () => seenTogether([await lookAtNodes(admin, site)]))
}

async function lookAtNodes(admin: KubernetesClient, site: Site): Promise<Readiness> {
  const names = site.machines.map(({ name }) => name)
  return judgeNodes(names, await listNodes(admin))
}

async function listNodes(admin: Pick<KubernetesClient, 'list'>): Promise<readonly Node[]> {
  return (await admin.list<Node>(kinds.node)).items
}

async function waitForDns({ wait, client }: Context): Promise<string> {
  const admin = await client
  return waitUntil('DNS', wait, async () => seenTogether([await lookAtDeployment(admin, 'coredns')]))
}

async function verify({ site, wait, client }: Context): Promise<string> {
  const admin = await client
  return waitUntil('verification', wait, async () => {
    const kubelets = site.machines.map(({ name }) => judgeKubelet(admin, name, wait.signal))
    const [api, ...answers] = await Promise.all([judgeApi(admin, wait.signal), ...kubelets])
    const named = api.state === 'ready' ? api : waiting(`API: ${api.reason}`)
    return seenTogether([named, ...answers, await lookAtNodes(admin, site)])
  })
}

/** Whether the kubelet of the node `name` answers the API server. */
async function judgeKubelet(
  admin: KubernetesClient,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Readiness> {
  const options = { limitSeconds: 5, ...(signal === undefined ? {} : { signal }) }
  const { status, text } = await admin.text(`/api/v1/nodes/${name}/proxy/healthz`, options)
  return status === 200 ? ready(name) : waiting(`kubelet of ${name} answers ${status}: ${text}`)
}
