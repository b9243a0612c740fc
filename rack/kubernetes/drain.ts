// Takes the work from a node before it restarts, and gives it back: cordon, evict, uncordon, as kubectl does it.

import { Failure } from '#model/error.ts'
import type { Stage } from '#progress/stage.ts'
import { sleep } from '#progress/wait.ts'
import type { KubernetesClient } from './client.ts'
import { kinds, type Node, type Pod } from './objects.ts'

/** What the cluster is asked for. */
export type DrainClient = Pick<KubernetesClient, 'read' | 'list' | 'merge' | 'evict'>

/** How long a drain may take, and who is shown what it waits for. */
export type DrainOptions = {
  readonly limitSeconds: number
  /** Milliseconds between two looks, 2000 by default. */
  readonly everyMs?: number
  readonly stage: Stage
  readonly signal?: AbortSignal | undefined
}

/** On a node that we cordoned, so that one which an operator cordoned stays so. */
export const CORDONED_BY = 'pilotlight.local/cordoned-for'

/**
 * Lets no new pods onto a node. One that is cordoned already is left as it is, and so `uncordon` leaves it, too.
 *
 * @param reason kept with the node, for people: `upgrade to 8f3c0d2a91b4`
 */
export async function cordon(client: DrainClient, name: string, reason: string): Promise<void> {
  const node = await readNode(client, name)
  if (node.spec?.unschedulable === true) return
  const metadata = { annotations: { [CORDONED_BY]: reason } }
  await client.merge({ ...kinds.node, name }, { metadata, spec: { unschedulable: true } })
}

/** Lets pods onto a node again, if it was cordoned by `cordon`; says whether it was. */
export async function uncordon(client: DrainClient, name: string): Promise<boolean> {
  const node = await readNode(client, name)
  if (node.metadata.annotations?.[CORDONED_BY] === undefined) return false
  const metadata = { annotations: { [CORDONED_BY]: null } }
  await client.merge({ ...kinds.node, name }, { metadata, spec: { unschedulable: null } })
  return true
}

/**
 * Evicts the pods of a node and waits until they are gone: those that something makes again elsewhere. Left are pods of daemon sets,
 * static pods, pods that ended, and pods that nothing made: evicted these would be lost, and so they restart with the node.
 *
 * @throws {Failure} WAITED_TOO_LONG, with the pods that are left and why
 */
export async function evictAll(client: DrainClient, name: string, options: DrainOptions): Promise<number> {
  const { limitSeconds, everyMs = 2000, stage, signal } = options
  const end = performance.now() + limitSeconds * 1000
  const evicted = new Set<string>()
  for (;;) {
    signal?.throwIfAborted()
    const { items } = await client.list<Pod>({ ...kinds.pod, fields: `spec.nodeName=${name}` })
    const left = items.filter(isEvicted)
    if (left.length === 0) return evicted.size
    let why = ''
    for (const { metadata } of left) {
      if (metadata.deletionTimestamp !== undefined) continue // it ends within its grace period
      const { namespace = 'default', name: pod } = metadata
      const asked = await client.evict({ namespace, name: pod })
      if (asked.state === 'held') why = `; ${namespace}/${pod}: ${asked.why}`
      else evicted.add(`${namespace}/${pod}`)
    }
    const names = left
      .slice(0, 5)
      .map(({ metadata }) => `${metadata.namespace ?? 'default'}/${metadata.name}`)
    const said = `${left.length} pods are left on ${name}: ${names.join(', ')}${left.length > 5 ? ' …' : ''}${why}`
    if (performance.now() >= end) {
      const remedy = `look at them:  kubectl get pods -A --field-selector spec.nodeName=${name}   or give it more time (--drain-limit), or restart with them (--no-drain)`
      throw new Failure('WAITED_TOO_LONG', `after ${limitSeconds} s ${said}`, remedy)
    }
    stage.waiting(said, limitSeconds)
    await sleep(everyMs, signal)
  }
}

function isEvicted({ metadata, status }: Pod): boolean {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return false
  if (metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return false
  const maker = metadata.ownerReferences?.find(({ controller }) => controller === true)
  return maker !== undefined && maker.kind !== 'DaemonSet' && maker.kind !== 'Node'
}

async function readNode(client: DrainClient, name: string): Promise<Node> {
  const node = await client.read<Node>({ ...kinds.node, name })
  if (node !== undefined) return node
  const remedy = 'kubectl get nodes   shows them; is the kubeconfig that of another site?'
  throw new Failure('NOT_FOUND', `the cluster has no node ${name}`, remedy)
}
