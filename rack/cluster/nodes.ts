// Which node is which machine, and what its node is labelled. Pure.

import type { Machine } from '#model/machine.ts'
import type { Manifest, Node } from '../kubernetes/objects.ts'
import { dutiesOf, type Duty } from '../site/duties.ts'
import type { Site } from '../site/site.ts'

/** The labels of each duty: `kubectl get nodes` shows them, and charts place their pods by them. */
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

/** Whether a node is a machine of the site file, by its address. */
export type NodeMatch =
  { readonly kind: 'same' } | { readonly kind: 'unknown' } | { readonly kind: 'other'; readonly why: string }

/** Compares `node` with the site file's `machine`; `unknown` while the node has not reported its address. */
export function matchNode(machine: Machine, node: Node): NodeMatch {
  const addresses = (node.status?.addresses ?? [])
    .filter(({ type }) => type === 'InternalIP')
    .map(({ address }) => address)
  if (addresses.length === 0) return { kind: 'unknown' }
  if (addresses.includes(machine.address)) return { kind: 'same' }
  const why = `its address is ${addresses.join(', ')}, the site file says ${machine.address}`
  return { kind: 'other', why }
}
