// Objects judged from canned answers of the API: ready, not yet and why, or broken with a cause and a remedy.

import t from 'tap'
import {
  judgeDaemonset,
  judgeDeployment,
  judgeJobs,
  judgeNode,
  judgeNodes,
  judgeStatefulset,
} from '#rack/kubernetes/judge.ts'
import type { Daemonset, Node, Pod, Workload } from '#rack/kubernetes/objects.ts'
import { ready, seenTogether, waiting, worstOf } from '#rack/kubernetes/readiness.ts'

const now = Date.parse('2026-11-21T12:00:00Z')
const secondsAgo = (seconds: number) => new Date(now - seconds * 1000).toISOString()
const alone = { pods: [], now }
const labels = { app: 'mariadb' }

const deployment = (status: NonNullable<Workload['status']>, replicas = 2): Workload => ({
  metadata: { name: 'coredns', generation: 2 },
  spec: { replicas, selector: { matchLabels: labels } },
  status,
})
const all = { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 }

t.test(
  'a Deployment is ready with all replicas of the newest version available, and no older one left',
  async t => {
    const rows: [NonNullable<Workload['status']>, string][] = [
      [all, 'coredns 2 of 2 available'],
      [{ ...all, observedGeneration: 1 }, 'the change of deployment coredns is not taken up yet'],
      [{}, 'the change of deployment coredns is not taken up yet'],
      [{ ...all, updatedReplicas: 1 }, 'deployment coredns has 1 of 2 available'],
      [{ ...all, availableReplicas: 1 }, 'deployment coredns has 1 of 2 available'],
      [{ ...all, replicas: 4 }, 'deployment coredns has 0 of 2 available'],
      [{ ...all, replicas: 4, availableReplicas: 3 }, 'deployment coredns has 1 of 2 available'],
      [{ ...all, replicas: 3, availableReplicas: 3 }, 'deployment coredns has 2 of 2 available'],
      [
        { ...all, replicas: 3, updatedReplicas: 3, availableReplicas: 3 },
        'deployment coredns has 2 of 2 available', // one is too many, and about to end
      ],
    ]
    for (const [status, expected] of rows) {
      const readiness = judgeDeployment('coredns', deployment(status), alone)
      t.equal('summary' in readiness ? readiness.summary : readiness.reason, expected)
      t.equal(readiness.state, status === all ? 'ready' : 'waiting', JSON.stringify(status))
    }
    t.strictSame(judgeDeployment('coredns', undefined, alone), waiting('deployment coredns is not there yet'))
  },
)

t.test('a workload of no replicas is ready when none is left', async t => {
  const status = { observedGeneration: 2 }
  t.equal(judgeStatefulset('coredns', deployment(status, 0), alone).state, 'ready')
  t.equal(judgeStatefulset('coredns', deployment({ ...status, replicas: 1 }, 0), alone).state, 'waiting')
})

const failing = (more: object = {}): Pod => ({
  metadata: { name: 'mariadb-0', labels, ...more },
  status: { containerStatuses: [{ name: 'server', state: { waiting: { reason: 'ImagePullBackOff' } } }] },
})

t.test('the reason is looked for among the pods of the workload', async t => {
  const none = { ...all, availableReplicas: 0 }
  const look = (pod: Pod, status: NonNullable<Workload['status']> = none) =>
    judgeStatefulset('mariadb', deployment(status), { pods: [pod], now }).state
  t.equal(look(failing()), 'broken')
  t.equal(look(failing({ labels: { app: 'another' } })), 'waiting', 'not one of its pods')
  t.equal(look(failing({ deletionTimestamp: secondsAgo(1) })), 'waiting', 'on its way out')
  const old = failing({ labels: { ...labels, 'controller-revision-hash': 'a' } })
  t.equal(look(old, { ...none, updateRevision: 'b' }), 'waiting', 'of the version before')
  t.equal(look(old, { ...none, updateRevision: 'a' }), 'broken')
})

const daemonset = (status: Daemonset['status'], createdSecondsAgo = 5): Daemonset => ({
  metadata: { name: 'libvirt', generation: 2, creationTimestamp: secondsAgo(createdSecondsAgo) },
  spec: {
    selector: { matchLabels: labels },
    template: { spec: { nodeSelector: { 'openstack-compute-node': 'enabled' } } },
  },
  status: { observedGeneration: 2, ...status },
})

t.test(
  'a DaemonSet is ready with the newest version available on every node, and on a node at all',
  async t => {
    const both = { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2 }
    const look = (status: Daemonset['status'], age?: number) =>
      judgeDaemonset('libvirt', daemonset(status, age), alone)
    t.strictSame(look(both), ready('libvirt 2 of 2 available'))
    t.strictSame(look({ ...both, numberAvailable: 1 }), waiting('daemonset libvirt has 1 of 2 available'))
    t.strictSame(
      look({ ...both, updatedNumberScheduled: 0 }),
      waiting('daemonset libvirt has 0 of 2 available'),
    )
    t.equal(look({ ...both, observedGeneration: 1 }).state, 'waiting')
    t.equal(look({ desiredNumberScheduled: 0 }).state, 'waiting')
    t.match(look({ desiredNumberScheduled: 0 }, 60), {
      state: 'broken',
      remedy: 'Label a node for it: kubectl label node NODE openstack-compute-node=enabled',
    })
    t.equal(judgeDaemonset('libvirt', undefined, alone).state, 'waiting')
  },
)

t.test('a DaemonSet may be wanted on more nodes than it has found so far', async t => {
  const one = daemonset({ desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1 })
  t.equal(judgeDaemonset('libvirt', one, alone, 1).state, 'ready')
  t.strictSame(judgeDaemonset('libvirt', one, alone, 3), waiting('daemonset libvirt has 1 of 3 available'))
})

const job = (type: string, more: object = {}) => ({
  metadata: { name: 'bootstrap-1f', ...more },
  status: { conditions: [{ type, status: 'True', reason: 'BackoffLimitExceeded', message: 'too often' }] },
})

t.test('jobs are ready when each is complete, and broken when one gave up', async t => {
  const pod = {
    metadata: { name: 'bootstrap-1f-x', labels: { 'batch.kubernetes.io/job-name': 'bootstrap-1f' } },
    status: { containerStatuses: [{ name: 'bootstrap', state: { terminated: { exitCode: 1 } } }] },
  }
  const beside = { pods: [pod], now }
  t.equal(judgeJobs('bootstrap', [job('Complete')], beside).state, 'ready')
  t.match(judgeJobs('bootstrap', [job('Complete'), job('Failed')], beside), {
    state: 'broken',
    reason: 'job bootstrap-1f gave up: BackoffLimitExceeded too often',
    suspect: { pod: 'bootstrap-1f-x', container: 'bootstrap' },
  })
  t.match(judgeJobs('bootstrap', [job('Suspended')], alone), {
    state: 'waiting',
    reason: 'job bootstrap-1f runs',
  })
  t.strictSame(judgeJobs('bootstrap', [], alone), waiting('job bootstrap is not there yet'))
  const leaving = job('Complete', { deletionTimestamp: secondsAgo(1) })
  t.strictSame(judgeJobs('bootstrap', [leaving], alone), waiting('job bootstrap is not there yet'))
})

const node = (name: string, status: string, message: string): Node => ({
  metadata: { name },
  status: { conditions: [{ type: 'Ready', status, message }] },
})

const lookAtNodes = (...nodes: Node[]) => judgeNodes(['ctl-1', 'cmp-1'], nodes)

t.test('nodes are Ready when all are, and otherwise each says why not', async t => {
  const good = node('ctl-1', 'True', 'kubelet is posting ready status')
  const cni = node('cmp-1', 'False', 'container runtime network not ready: cni plugin not initialized')
  t.strictSame(lookAtNodes(good, node('cmp-1', 'True', '')), ready('2 of 2 nodes Ready'))
  t.strictSame(lookAtNodes(good, cni), waiting('1 of 2 nodes Ready; cmp-1: CNI not ready'))
  t.strictSame(lookAtNodes(good), waiting('1 of 2 nodes Ready; cmp-1: not registered'))
  t.strictSame(
    lookAtNodes(good, { metadata: { name: 'cmp-1' } }),
    waiting('1 of 2 nodes Ready; cmp-1: has not reported yet'),
  )
  t.match(judgeNode('n', node('n', 'Unknown', 'x'.repeat(200))), {
    state: 'waiting',
    reason: /^n: x{117}\.\.\.$/,
  })
})

t.test('what is looked at together is there when each is', async t => {
  t.strictSame(seenTogether([ready('a'), ready('b')]), { value: 'a, b' })
  t.strictSame(seenTogether([ready('a'), waiting('b is missing'), waiting('c too')]), {
    not: 'b is missing; c too',
  })
  t.equal(worstOf([ready('a')]), undefined)
})
