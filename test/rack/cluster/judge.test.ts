// What the bring-up makes of what it sees: tables of seen objects and the words for them.

import type { V1DaemonSet, V1Deployment, V1Node } from '@kubernetes/client-node'
import t from 'tap'
import {
  all,
  identify,
  judgeDaemonSet,
  judgeDeployment,
  judgeNodes,
  labelledNode,
} from '#rack/cluster/judge.ts'
import { machineNamed, smallSite } from '../../small-site.ts'

const controller = machineNamed(smallSite, 'ctl-1')
const compute = machineNamed(smallSite, 'cmp-1')

function node(name: string, ready: string, message: string, address = '10.20.0.11'): V1Node {
  return {
    metadata: { name },
    status: {
      addresses: [
        { type: 'Hostname', address: name },
        { type: 'InternalIP', address },
      ],
      conditions: [{ type: 'Ready', status: ready, message }],
    },
  }
}

function set(observedGeneration: number, ready: number, updated: number): V1DaemonSet {
  return {
    metadata: { name: 'kube-apiserver', generation: 2 },
    status: { observedGeneration, numberReady: ready, updatedNumberScheduled: updated },
  } as V1DaemonSet // the fields that are looked at
}

function deployment(available: number, updated: number, replicas: number): V1Deployment {
  return {
    metadata: { name: 'coredns', generation: 1 },
    spec: { replicas: 2 },
    status: { observedGeneration: 1, availableReplicas: available, updatedReplicas: updated, replicas },
  } as V1Deployment // the fields that are looked at
}

t.test('nodes are Ready when all are, and otherwise each says why not', async t => {
  const good = node('ctl-1', 'True', 'kubelet is posting ready status')
  const cni = node('cmp-1', 'False', 'container runtime network not ready: cni plugin not initialized')
  t.strictSame(judgeNodes(smallSite.machines, [good, node('cmp-1', 'True', '')]), {
    value: '2 of 2 nodes Ready',
  })
  t.strictSame(judgeNodes(smallSite.machines, [good, cni]), {
    not: '1 of 2 nodes Ready; cmp-1: CNI not ready',
  })
  t.strictSame(judgeNodes(smallSite.machines, [good]), { not: '1 of 2 nodes Ready; cmp-1: not registered' })
  t.strictSame(judgeNodes(smallSite.machines, [good, { metadata: { name: 'cmp-1' } }]), {
    not: '1 of 2 nodes Ready; cmp-1: has not reported yet',
  })
})

t.test('a node is the machine of that name only at its address', async t => {
  t.strictSame(identify(controller, node('ctl-1', 'True', '')), { kind: 'same' })
  t.strictSame(identify(controller, { metadata: { name: 'ctl-1' } }), { kind: 'unknown' })
  t.strictSame(identify(controller, node('ctl-1', 'True', '', '10.20.0.66')), {
    kind: 'other',
    why: 'its address is 10.20.0.66, the inventory says 10.20.0.11',
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

t.test('a DaemonSet counts pods of its current version only', async t => {
  t.strictSame(judgeDaemonSet(set(2, 1, 1), 1), { value: 'kube-apiserver 1 of 1 Ready' })
  t.strictSame(judgeDaemonSet(set(1, 1, 1), 1), { not: 'kube-apiserver 0 of 1 Ready' })
  t.strictSame(judgeDaemonSet(set(2, 1, 0), 1), { not: 'kube-apiserver 0 of 1 Ready' })
  t.strictSame(judgeDaemonSet(undefined, 1), { not: 'DaemonSet 0 of 1 Ready' })
})

t.test('a Deployment is there when all replicas of its current version are available', async t => {
  t.strictSame(judgeDeployment(deployment(2, 2, 2)), { value: 'coredns 2 of 2 available' })
  t.strictSame(judgeDeployment(deployment(2, 1, 2)), { not: 'coredns 1 of 2 available' })
})

t.test('during a roll the pods of the last version do not count', async t => {
  t.strictSame(judgeDeployment(deployment(2, 2, 4)), { not: 'coredns 0 of 2 available' })
  t.strictSame(judgeDeployment(deployment(3, 2, 4)), { not: 'coredns 1 of 2 available' })
})

t.test('things seen together are there when each is', async t => {
  t.strictSame(all([{ value: 'a' }, { value: 'b' }]), { value: 'a, b' })
  t.strictSame(all([{ value: 'a' }, { not: 'b is missing' }, { not: 'c too' }]), {
    not: 'b is missing; c too',
  })
})
