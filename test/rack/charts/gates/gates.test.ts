// Promises judged from canned API objects: kept, not yet and why, or broken with a cause and a mend.

import t from 'tap'
import { judge, judgeAgents, judgeHypervisors } from '#rack/charts/gates/gates.ts'
import { judgePod } from '#rack/charts/gates/pods.ts'
import type { Daemonset, Pod, Snapshot, Workload } from '#rack/charts/kubernetes/snapshot.ts'

const now = Date.parse('2026-11-21T12:00:00Z')
const secondsAgo = (seconds: number) => new Date(now - seconds * 1000).toISOString()
const labels = { 'app.kubernetes.io/name': 'mariadb', 'app.kubernetes.io/component': 'server' }
const nothing: Snapshot = { pods: [], deployments: [], statefulsets: [], daemonsets: [], jobs: [] }

const workload = (status: Workload['status'] = { observedGeneration: 2 }): Workload => ({
  metadata: { name: 'mariadb', generation: 2 },
  spec: { replicas: 1, selector: { matchLabels: labels } },
  status,
})
const ready = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1 }
const promised = { kind: 'statefulset', name: 'mariadb' } as const

type Container = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number]
const podWith = (container: Container, scheduledSecondsAgo = 5): Pod => ({
  metadata: { name: 'mariadb-0', labels },
  status: {
    phase: 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'True', lastTransitionTime: secondsAgo(scheduledSecondsAgo) },
    ],
    containerStatuses: [container],
  },
})
const waitingFor = (reason: string, message = '') => ({
  name: 'server',
  state: { waiting: { reason, message } },
})

t.test('a workload keeps its promise only with all replicas of the newest template ready', async t => {
  const rows: [Workload['status'], string][] = [
    [ready, 'kept'],
    [{ ...ready, observedGeneration: 1 }, 'waiting'],
    [{ ...ready, updatedReplicas: 0 }, 'waiting'],
    [{ ...ready, readyReplicas: 0 }, 'waiting'],
    [{ ...ready, replicas: 2 }, 'waiting'],
    [{}, 'waiting'],
  ]
  for (const [status, state] of rows) {
    const seen = { ...nothing, statefulsets: [workload(status)] }
    t.equal(judge(promised, 'mariadb', seen, now).state, state, JSON.stringify(status))
  }
  t.match(judge(promised, 'mariadb', nothing, now), {
    state: 'waiting',
    reason: 'statefulset mariadb is not there yet',
  })
})

t.test(
  'the reason names the pod that keeps a workload waiting, and the container whose log tells more',
  async t => {
    const pods = [podWith({ name: 'server', ready: false, state: { running: {} } })]
    t.match(judge(promised, 'mariadb', { ...nothing, pods, statefulsets: [workload()] }, now), {
      state: 'waiting',
      reason: 'pod mariadb-0: server runs and is not ready',
      suspect: { pod: 'mariadb-0', container: 'server', previous: false },
    })
  },
)

t.test('an image that cannot be had breaks the promise at once', async t => {
  for (const reason of ['ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName'])
    t.match(judgePod(podWith(waitingFor(reason, 'pilotlight.local/x: not found')), now), {
      state: 'broken',
      reason: `pod mariadb-0: server: ${reason}: pilotlight.local/x: not found`,
      remedy: /Build the images/,
    })
  t.equal(judgePod(podWith(waitingFor('ErrImagePull')), now).state, 'waiting')
})

const crashing = (restartCount: number) =>
  podWith({
    ...waitingFor('CrashLoopBackOff', 'back-off'),
    restartCount,
    lastState: { terminated: { exitCode: 78, reason: 'Error' } },
  })

t.test(
  'a container that ended once may try again; one that ends again and again breaks the promise',
  async t => {
    t.equal(judgePod(crashing(1), now).state, 'waiting')
    t.match(judgePod(crashing(2), now), {
      state: 'broken',
      reason: /server ends again and again \(2 restarts, last with Error 78\)/,
      suspect: { previous: true },
    })
  },
)

function heldBack(restartCount: number, message: string): string {
  const lastState = { terminated: { exitCode: 128, reason: 'StartError', message } }
  return judgePod(podWith({ ...waitingFor('CrashLoopBackOff', 'back-off'), restartCount, lastState }), now)
    .state
}

function startedLate(message: string): string {
  const { metadata, status } = podWith({ ...waitingFor('RunContainerError', message), restartCount: 1 })
  const conditions = [{ type: 'PodScheduled', status: 'True', lastTransitionTime: secondsAgo(60) }]
  return judgePod({ metadata, status: { ...status, conditions } }, now).state
}

t.test(
  'a container that a busy runtime could not start is tried longer; one without its command is not',
  t => {
    const frozen = 'runc create failed: error setting cgroup config for procHooks process: unable to freeze'
    const absent = 'runc create failed: exec: "/bin/nova": executable file not found in $PATH'
    t.strictSame(
      [heldBack(4, frozen), heldBack(5, frozen), heldBack(2, absent)],
      ['waiting', 'broken', 'broken'],
    )
    t.strictSame([startedLate(frozen), startedLate(absent)], ['waiting', 'broken'])
    t.end()
  },
)

t.test('a failing init container is told by its own name', async t => {
  const pod: Pod = {
    metadata: { name: 'mariadb-0' },
    status: {
      initContainerStatuses: [{ ...waitingFor('CrashLoopBackOff'), name: 'own-the-data', restartCount: 3 }],
    },
  }
  t.match(judgePod(pod, now), { state: 'broken', reason: /own-the-data ends again/ })
})

const homeless = (seconds: number): Pod => ({
  metadata: { name: 'mariadb-0' },
  spec: { nodeSelector: { a: 'b' } },
  status: {
    conditions: [
      {
        type: 'PodScheduled',
        status: 'False',
        reason: 'Unschedulable',
        message: "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
        lastTransitionTime: secondsAgo(seconds),
      },
    ],
  },
})

t.test('a pod without a node is waited for while nodes get their labels, then broken', async t => {
  t.equal(judgePod(homeless(29), now).state, 'waiting')
  t.match(judgePod(homeless(31), now), {
    state: 'broken',
    reason: /0\/2 nodes/,
    remedy: /kubectl label node NODE a=b/,
  })
})

t.test('a container that cannot be made gets a moment for its Secret to appear', async t => {
  const missing = waitingFor('CreateContainerConfigError', 'secret "keystone-db" not found')
  t.equal(judgePod(podWith(missing, 5), now).state, 'waiting')
  t.match(judgePod(podWith(missing, 25), now), { state: 'broken', reason: /secret "keystone-db" not found/ })
})

t.test('a job keeps its promise when it is complete, and breaks it when it gave up', async t => {
  const job = { kind: 'job', name: 'keystone-bootstrap', component: 'bootstrap' } as const
  const named = { 'app.kubernetes.io/instance': 'keystone', 'app.kubernetes.io/component': 'bootstrap' }
  const seen = (type: string) => ({
    ...nothing,
    jobs: [
      {
        metadata: { name: 'keystone-bootstrap-1f', labels: named },
        status: {
          conditions: [{ type, status: 'True', reason: 'BackoffLimitExceeded', message: 'too often' }],
        },
      },
    ],
    pods: [
      {
        metadata: {
          name: 'keystone-bootstrap-1f-x',
          labels: { 'batch.kubernetes.io/job-name': 'keystone-bootstrap-1f' },
        },
        status: { containerStatuses: [{ name: 'bootstrap', state: { terminated: { exitCode: 1 } } }] },
      },
    ],
  })
  t.equal(judge(job, 'keystone', seen('Complete'), now).state, 'kept')
  t.match(judge(job, 'keystone', seen('Failed'), now), {
    state: 'broken',
    reason: 'job keystone-bootstrap-1f gave up: BackoffLimitExceeded too often',
    suspect: { pod: 'keystone-bootstrap-1f-x', container: 'bootstrap' },
  })
  t.match(judge(job, 'keystone', nothing, now), { state: 'waiting', reason: /not there yet/ })
})

t.test('a pod that is on its way out says nothing about its workload', async t => {
  const leaving = podWith(waitingFor('ImagePullBackOff'))
  const pods = [{ ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: secondsAgo(1) } }]
  t.equal(judge(promised, 'mariadb', { ...nothing, pods, statefulsets: [workload()] }, now).state, 'waiting')
})

t.test('a pod of the version before does not break the promise of the new one', async t => {
  const old = podWith(waitingFor('ImagePullBackOff'))
  const pods = [
    { ...old, metadata: { ...old.metadata, labels: { ...labels, 'controller-revision-hash': 'a' } } },
  ]
  const status = { ...ready, readyReplicas: 0, updateRevision: 'b' }
  const seen = { ...nothing, pods, statefulsets: [workload(status)] }
  t.equal(judge(promised, 'mariadb', seen, now).state, 'waiting')
  const same = { ...seen, statefulsets: [workload({ ...status, updateRevision: 'a' })] }
  t.equal(judge(promised, 'mariadb', same, now).state, 'broken')
})

const agent = (binary: string, host: string, alive = true) => ({ binary, host, alive })

t.test('agents are promised by binary on every host, and the missing ones are named', async t => {
  const binaries = ['neutron-dhcp-agent', 'neutron-l3-agent']
  const promised = { kind: 'agents', binaries, hosts: ['cmp-1', 'cmp-2'] } as const
  const all = binaries.flatMap(binary => [agent(binary, 'cmp-1'), agent(binary, 'cmp-2')])
  t.equal(judgeAgents(promised, all).state, 'kept')
  t.match(judgeAgents(promised, [...all.slice(0, 2), agent('neutron-l3-agent', 'cmp-1', false)]), {
    state: 'waiting',
    reason: 'neutron-l3-agent is not alive on cmp-1, neutron-l3-agent has not reported on cmp-2',
  })
})

t.test('a compute host must be mapped, up and enabled', async t => {
  const promised = { kind: 'hypervisors', hosts: ['cmp-1'] } as const
  const rows: [state: string, status: string, verdict: string][] = [
    ['up', 'enabled', 'kept'],
    ['down', 'enabled', 'waiting'],
    ['up', 'disabled', 'waiting'],
  ]
  for (const [state, status, verdict] of rows)
    t.equal(judgeHypervisors(promised, [{ host: 'cmp-1', state, status }]).state, verdict)
  t.match(judgeHypervisors(promised, []), { reason: 'compute host cmp-1 is not mapped to a cell yet' })
})

const daemonset = (status: Daemonset['status'], createdSecondsAgo = 5): Daemonset => ({
  metadata: { name: 'libvirt', generation: 1, creationTimestamp: secondsAgo(createdSecondsAgo) },
  spec: {
    selector: { matchLabels: labels },
    template: { spec: { nodeSelector: { 'openstack-compute-node': 'enabled' } } },
  },
  status: { observedGeneration: 1, ...status },
})

const lookAt = (it: Daemonset) =>
  judge({ kind: 'daemonset', name: 'libvirt' }, 'libvirt', { ...nothing, daemonsets: [it] }, now)

t.test('a daemon set wants a ready pod on every node, and a node at all', async t => {
  t.equal(
    lookAt(daemonset({ desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberReady: 2 })).state,
    'kept',
  )
  t.match(lookAt(daemonset({ desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberReady: 1 })), {
    state: 'waiting',
    reason: 'daemonset libvirt has 1 of 2 ready',
  })
  t.equal(lookAt(daemonset({ desiredNumberScheduled: 0 })).state, 'waiting')
  t.match(lookAt(daemonset({ desiredNumberScheduled: 0 }, 60)), {
    state: 'broken',
    remedy: 'Label a node for it: kubectl label node NODE openstack-compute-node=enabled',
  })
})
