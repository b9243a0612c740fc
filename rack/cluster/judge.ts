// What the bring-up makes of the objects that it reads: pure functions from seen objects to "done" or the reason
// why not yet.

import type { V1DaemonSet, V1Deployment, V1Node } from '@kubernetes/client-node'
import type { Machine } from '#model/machine.ts'
import type { Seen } from '#progress/wait.ts'
import { dutiesOf, type Duty } from '../site/duties.ts'
import type { Site } from '../site/site.ts'
import type { Manifest } from './manifests/object.ts'

/** What each duty puts on a node: how `kubectl get nodes` shows it, and where charts place their pods. */
const DUTY_LABELS: Readonly<Record<Duty, Readonly<Record<string, string>>>> = {
  'control-plane': { 'node-role.kubernetes.io/control-plane': '', 'openstack-control-plane': 'enabled' },
  compute: { 'node-role.kubernetes.io/compute': '', 'openstack-compute-node': 'enabled' },
  network: { 'openstack-network-node': 'enabled' },
}

/** The node of `machine` with the labels of what it does, as it is applied. Only the admin client may set them. */
export function labelledNode(site: Site, machine: Machine): Manifest {
  const labels = Object.assign({}, ...dutiesOf(site, machine).map(duty => DUTY_LABELS[duty]))
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: machine.name, labels } }
}

/** What a node's address tells of whether it is the inventory's machine. */
export type Identity =
  { readonly kind: 'same' } | { readonly kind: 'unknown' } | { readonly kind: 'other'; readonly why: string }

/** Compares `node` with the inventory's `machine`; `unknown` while the node has not told its address. */
export function identify(machine: Machine, node: V1Node): Identity {
  const addresses = (node.status?.addresses ?? [])
    .filter(({ type }) => type === 'InternalIP')
    .map(({ address }) => address)
  if (addresses.length === 0) return { kind: 'unknown' }
  if (addresses.includes(machine.address)) return { kind: 'same' }
  const why = `its address is ${addresses.join(', ')}, the inventory says ${machine.address}`
  return { kind: 'other', why }
}

/** Whether every machine's node is Ready; if not, which are not and what they say. */
export function judgeNodes(machines: readonly Machine[], nodes: readonly V1Node[]): Seen<string> {
  const troubles: string[] = []
  for (const { name } of machines) {
    const node = nodes.find(node => node.metadata?.name === name)
    const ready = node?.status?.conditions?.find(condition => condition.type === 'Ready')
    if (ready?.status === 'True') continue
    troubles.push(`${name}: ${node === undefined ? 'not registered' : wordsOfReady(ready?.message)}`)
  }
  const counted = `${machines.length - troubles.length} of ${machines.length} nodes Ready`
  return troubles.length === 0 ? { value: counted } : { not: `${counted}; ${troubles.join('; ')}` }
}

function wordsOfReady(message: string | undefined): string {
  if (message === undefined) return 'has not reported yet'
  if (/cni|network plugin/i.test(message)) return 'CNI not ready'
  return message.length > 120 ? `${message.slice(0, 117)}...` : message
}

/** Whether a DaemonSet runs its current version Ready on `wanted` nodes. */
export function judgeDaemonSet(set: V1DaemonSet | undefined, wanted: number): Seen<string> {
  const name = set?.metadata?.name ?? 'DaemonSet'
  const ready = isCurrent(set)
    ? Math.min(set?.status?.numberReady ?? 0, set?.status?.updatedNumberScheduled ?? 0)
    : 0
  const counted = `${name} ${ready} of ${wanted} Ready`
  return ready >= wanted ? { value: counted } : { not: counted }
}

/** Whether a Deployment's current version is available with all its replicas. */
export function judgeDeployment(deployment: V1Deployment | undefined): Seen<string> {
  const name = deployment?.metadata?.name ?? 'Deployment'
  const wanted = deployment?.spec?.replicas ?? 1
  const status = isCurrent(deployment) ? deployment?.status : undefined
  const updated = status?.updatedReplicas ?? 0
  const outdated = (status?.replicas ?? 0) - updated // available ones are taken for these first
  const ready = Math.min(updated, Math.max(0, (status?.availableReplicas ?? 0) - outdated))
  const counted = `${name} ${ready} of ${wanted} available`
  return ready >= wanted ? { value: counted } : { not: counted }
}

/** All seen things together: every value, or every reason why not. */
export function all(seen: readonly Seen<string>[]): Seen<string> {
  const reasons = seen.flatMap(one => ('not' in one ? [one.not] : []))
  if (reasons.length > 0) return { not: reasons.join('; ') }
  return { value: seen.flatMap(one => ('value' in one ? [one.value] : [])).join(', ') }
}

function isCurrent(object: V1DaemonSet | V1Deployment | undefined): boolean {
  const seen = object?.status?.observedGeneration
  return seen !== undefined && seen >= (object?.metadata?.generation ?? 0)
}
