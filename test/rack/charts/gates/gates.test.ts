// Promises judged from canned answers of the APIs; what is promised of Kubernetes objects, by the judges of
// test/rack/kubernetes/judge.test.ts.

import t from 'tap'
import { judgeAgents, judgeHypervisors, judgePromise, type ObjectPromise } from '#rack/charts/gates/gates.ts'
import type { Snapshot } from '#rack/kubernetes/namespace-view.ts'

const now = Date.parse('2026-11-21T12:00:00Z')
const nothing: Snapshot = { pods: [], deployments: [], statefulsets: [], daemonsets: [], jobs: [] }
const metadata = { name: 'it', generation: 1 }
const counts = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 }
const nodes = { desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1 }
const ofRelease = { 'app.kubernetes.io/instance': 'keystone', 'app.kubernetes.io/component': 'bootstrap' }
const complete = { conditions: [{ type: 'Complete', status: 'True' }] }

const rows: [ObjectPromise, Snapshot][] = [
  [
    { kind: 'deployment', name: 'it' },
    { ...nothing, deployments: [{ metadata, status: counts }] },
  ],
  [
    { kind: 'statefulset', name: 'it' },
    { ...nothing, statefulsets: [{ metadata, status: counts }] },
  ],
  [
    { kind: 'daemonset', name: 'it' },
    { ...nothing, daemonsets: [{ metadata, status: { observedGeneration: 1, ...nodes } }] },
  ],
  [
    { kind: 'job', name: 'it', component: 'bootstrap' },
    { ...nothing, jobs: [{ metadata: { name: 'it-1f', labels: ofRelease }, status: complete }] },
  ],
]

for (const [promised, seen] of rows) {
  t.test(`a ${promised.kind} keeps its promise by its own judge, and is missed by its name`, async t => {
    t.equal(judgePromise(promised, 'keystone', seen, now).state, 'ready')
    const reason = `${promised.kind} it is not there yet`
    t.strictSame(judgePromise(promised, 'keystone', nothing, now), { state: 'waiting', reason })
  })
}

t.test('a job is that of the release, whatever its name ends with', async t => {
  const [promised, seen] = rows[3]! // the row of the job
  t.equal(judgePromise(promised, 'glance', seen, now).state, 'waiting')
})

const agent = (binary: string, host: string, alive = true) => ({ binary, host, alive })

t.test('agents are promised by binary on every host, and the missing ones are named', async t => {
  const binaries = ['neutron-dhcp-agent', 'neutron-l3-agent']
  const promised = { kind: 'agents', binaries, hosts: ['cmp-1', 'cmp-2'] } as const
  const all = binaries.flatMap(binary => [agent(binary, 'cmp-1'), agent(binary, 'cmp-2')])
  t.equal(judgeAgents(promised, all).state, 'ready')
  t.match(judgeAgents(promised, [...all.slice(0, 2), agent('neutron-l3-agent', 'cmp-1', false)]), {
    state: 'waiting',
    reason: 'neutron-l3-agent is not alive on cmp-1, neutron-l3-agent has not reported on cmp-2',
  })
})

t.test('a compute host must be mapped, up and enabled', async t => {
  const promised = { kind: 'hypervisors', hosts: ['cmp-1'] } as const
  const rows: [state: string, status: string, expected: string][] = [
    ['up', 'enabled', 'ready'],
    ['down', 'enabled', 'waiting'],
    ['up', 'disabled', 'waiting'],
  ]
  for (const [state, status, expected] of rows)
    t.equal(judgeHypervisors(promised, [{ host: 'cmp-1', state, status }]).state, expected)
  t.match(judgeHypervisors(promised, []), { reason: 'compute host cmp-1 is not mapped to a cell yet' })
})
