// A pod judged from canned answers of the API: ready, not yet and why, or broken with a cause and a remedy.

import t from 'tap'
import { judgePod } from '#rack/kubernetes/judge-pod.ts'
import type { Pod } from '#rack/kubernetes/objects.ts'

const now = Date.parse('2026-11-21T12:00:00Z')
const secondsAgo = (seconds: number) => new Date(now - seconds * 1000).toISOString()

type Container = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number]
const podWith = (container: Container, scheduledSecondsAgo = 5): Pod => ({
  metadata: { name: 'mariadb-0' },
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

t.test('an image that cannot be had is not waited for', async t => {
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
  'a container that ended once may try again; one that ends again and again is not waited for',
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

t.test('a failing init container is named', async t => {
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

t.test('a container that cannot be made is waited for while its Secret may still be made', async t => {
  const missing = waitingFor('CreateContainerConfigError', 'secret "keystone-db" not found')
  t.equal(judgePod(podWith(missing, 5), now).state, 'waiting')
  t.match(judgePod(podWith(missing, 25), now), { state: 'broken', reason: /secret "keystone-db" not found/ })
})

t.test('the reason names the container whose log says more', async t => {
  t.strictSame(judgePod(podWith({ name: 'server', ready: false, state: { running: {} } }), now), {
    state: 'waiting',
    reason: 'pod mariadb-0: server runs and is not ready',
    suspect: { pod: 'mariadb-0', container: 'server', previous: false },
  })
})

const stateOf = (status: NonNullable<Pod['status']>) =>
  judgePod({ metadata: { name: 'p' }, status }, now).state

t.test('a pod is ready by its condition, or when its work is done', async t => {
  t.equal(stateOf({ conditions: [{ type: 'Ready', status: 'True' }] }), 'ready')
  t.equal(stateOf({ phase: 'Succeeded' }), 'ready')
  t.equal(stateOf({ phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }), 'waiting')
})
