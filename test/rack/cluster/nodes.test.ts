// Which node is which machine, and what it is labelled.

import t from 'tap'
import { registerNodes } from '#rack/cluster/bringup.ts'
import { matchNode, labelledNode } from '#rack/cluster/nodes.ts'
import type { Manifest, Node } from '#rack/kubernetes/objects.ts'
import type { KubernetesClient } from '#rack/kubernetes/client.ts'
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

/** An API server with a node a machine, that of cmp-1 only once `isThere`. */
function apiWith(isThere: () => boolean) {
  const labelled: string[] = []
  const nodes = smallSite.machines.map(({ name, address }): Node => ({
    ...nodeAt(address),
    metadata: { name },
  }))
  const list = async () => ({
    items: nodes.filter(it => it.metadata.name !== 'cmp-1' || isThere()),
    version: '1',
  })
  const admin: Pick<KubernetesClient, 'list' | 'apply'> = {
    list: list as KubernetesClient['list'], // only nodes are listed
    apply: async (manifest: Manifest) => {
      labelled.push(manifest.metadata.name)
      return manifest
    },
  }
  return { admin, labelled }
}

t.test('the limit for a node begins when no machine boots any more', async t => {
  const wait = { limitSeconds: 0.3, everyMs: 10 }
  const names = new Set(['cmp-1'])
  const begun = performance.now()
  const since = () => performance.now() - begun
  const { admin, labelled } = apiWith(() => since() > 700)
  setTimeout(() => names.clear(), 600)
  t.equal(await registerNodes(smallSite, admin, wait, { names, limitSeconds: 10 }), '2 nodes')
  t.ok(since() > 700)
  t.strictSame(labelled, ['ctl-1', 'cmp-1'], 'the controller is labelled while the other one still boots')
})

t.test('a node that stays away fails after the limit, and is named', async t => {
  const wait = { limitSeconds: 0.3, everyMs: 10 }
  const { admin } = apiWith(() => false)
  const missing = { code: 'WAITED_TOO_LONG', message: /waited 0\.3 s.*1 of 2 registered; missing: cmp-1/ }
  await t.rejects(registerNodes(smallSite, admin, wait), missing)
  await t.rejects(registerNodes(smallSite, admin, wait, { names: new Set(), limitSeconds: 60 }), missing)
  const late = { names: new Set(['cmp-1']), limitSeconds: 0.2 }
  await t.rejects(registerNodes(smallSite, admin, wait, late), { message: /waited 0\.5 s/ })
})
