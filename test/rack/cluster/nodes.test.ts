// Which node is which machine, and what it is labelled.

import t from 'tap'
import { matchNode, labelledNode } from '#rack/cluster/nodes.ts'
import type { Node } from '#rack/kubernetes/objects.ts'
import { machineNamed, smallSite } from '../../small-site.ts'

const controller = machineNamed(smallSite, 'ctl-1')
const compute = machineNamed(smallSite, 'cmp-1')

function nodeAt(address: string): Node {
  const addresses = [
    { type: 'Hostname', address: 'ctl-1' },
    { type: 'InternalIP', address },
  ]
  return { metadata: { name: 'ctl-1' }, status: { addresses } }
}

t.test('a node is the machine of that name only at its address', async t => {
  t.strictSame(matchNode(controller, nodeAt('10.20.0.11')), { kind: 'same' })
  t.strictSame(matchNode(controller, { metadata: { name: 'ctl-1' } }), { kind: 'unknown' })
  t.strictSame(matchNode(controller, nodeAt('10.20.0.66')), {
    kind: 'other',
    why: 'its address is 10.20.0.66, the site file says 10.20.0.11',
  })
})

t.test('what a machine does decides the labels of its node', async t => {
  const onController = {
    'node-role.kubernetes.io/control-plane': '',
    'openstack-control-plane': 'enabled',
  }
  const onCompute = {
    'node-role.kubernetes.io/compute': '',
    'openstack-compute-node': 'enabled',
    'openstack-network-node': 'enabled',
  }
  t.strictSame(labelledNode(smallSite, controller).metadata.labels, onController)
  t.strictSame(labelledNode(smallSite, compute).metadata.labels, onCompute)
  const alone = { ...smallSite, machines: [controller] }
  t.strictSame(labelledNode(alone, controller).metadata.labels, { ...onController, ...onCompute })
})
