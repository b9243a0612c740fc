// Whether pods find a place: each way in which they may not, with its numbers and its remedy.

import t from 'tap'
import {
  checkPlacement,
  podGroupsOf,
  quantity,
  type Node,
  type PodGroup,
} from '#rack/charts/preflight/capacity.ts'
import { objectsIn } from '#rack/charts/preflight/objects.ts'

const control = { 'openstack-control-plane': 'enabled' }
const node = (name: string, labels: Record<string, string>, memory = '4Gi', cpu = '2'): Node => ({
  metadata: { name, labels },
  status: { allocatable: { memory, cpu } },
})
const group = (more: Partial<PodGroup> = {}): PodGroup => ({
  release: 'nova',
  workload: 'Deployment nova-api',
  count: 1,
  lasts: true,
  nodeSelector: control,
  images: ['pilotlight.local/openstack-control:zed'],
  requests: { memoryBytes: 2 ** 30, milliCpu: 100 },
  ...more,
})
const check = (groups: PodGroup[], nodes: Node[], used = new Map()) =>
  checkPlacement(groups, nodes, used, 'pilotlight.local')

t.test('pods that fit have no problem', async t => {
  t.strictSame(check([group({ count: 4 })], [node('ctl-1', control)]), [])
})

t.test('a missing label is reported with the nodes that there are', async t => {
  const [problem] = check([group()], [node('cmp-1', {}), node('cmp-2', {})])
  t.strictSame(problem, {
    release: 'nova',
    what: 'Deployment nova-api wants a node labelled openstack-control-plane=enabled; cmp-1, cmp-2 are not',
    remedy: 'kubectl label node NODE openstack-control-plane=enabled',
  })
})

t.test('too little memory is reported once, with all numbers', async t => {
  const used = new Map([['ctl-1', { memoryBytes: 2 ** 30, milliCpu: 600 }]])
  const problems = check(
    [group({ count: 4 }), group({ workload: 'Deployment two' })],
    [node('ctl-1', control)],
    used,
  )
  t.equal(problems.length, 1)
  t.match(
    problems[0]?.what,
    /on ctl-1: the plan's pods ask for 5120 MiB there, others for 1024 MiB, and it has 4096 MiB/,
  )
})

t.test('too few processors are reported as that', async t => {
  const requests = { memoryBytes: 0, milliCpu: 900 }
  const [problem] = check([group({ count: 3, requests })], [node('ctl-1', control)])
  t.match(problem?.what, /too little cpu on ctl-1: the plan's pods ask for 2700m there/)
})

t.test('pods spread over the nodes that their labels allow', async t => {
  const nodes = [node('ctl-1', control), node('ctl-2', control)]
  t.strictSame(check([group({ count: 8 })], nodes), [])
  t.equal(check([group({ count: 9 })], nodes).length, 1)
})

t.test('a daemon set asks on each of its nodes, a job only for a while', async t => {
  const nodes = [node('ctl-1', control, '1Gi'), node('ctl-2', control, '512Mi')]
  const [problem] = check([group({ count: 'each node' })], nodes)
  t.match(problem?.what, /on ctl-2/)
  t.strictSame(check([group({ lasts: false, count: 9 })], nodes), [])
})

const holding = (...images: string[]): Node => ({
  ...node('ctl-1', control),
  status: { images: images.map(name => ({ names: [name] })) },
})

t.test(
  'one of our images that a node does not hold is reported; for other images the registry decides',
  async t => {
    t.match(check([group()], [holding('pilotlight.local/pause:1')]), [
      { what: /wants the image pilotlight.local\/openstack-control:zed, which node ctl-1 does not have/ },
    ])
    t.strictSame(check([group()], [holding('pilotlight.local/openstack-control:zed')]), [])
    t.strictSame(
      check([group({ images: ['registry.example/x:1'] })], [holding('pilotlight.local/pause:1')]),
      [],
    )
    t.strictSame(check([group()], [holding()]), [], 'a new node has reported none yet')
    t.strictSame(check([group()], [holding(...Array.from({ length: 50 }, (_, at) => `x:${at}`))]), [])
  },
)

t.test('the pods of rendered objects are read, with the bigger of both kinds of containers', async t => {
  const manifest = `
kind: DaemonSet
metadata: { name: agent }
spec:
  template:
    spec:
      nodeSelector: { a: b }
      initContainers: [{ image: one, resources: { requests: { memory: 1Gi, cpu: 10m } } }]
      containers:
        - { image: one, resources: { requests: { memory: 100Mi, cpu: 50m } } }
        - { image: two, resources: { requests: { memory: 100Mi } } }
---
kind: ConfigMap
metadata: { name: none }
---
kind: Job
metadata: { name: sync }
spec: { template: { spec: { containers: [{ image: two }] } } }
`
  t.strictSame(podGroupsOf('neutron', objectsIn(manifest)), [
    {
      release: 'neutron',
      workload: 'DaemonSet agent',
      count: 'each node',
      lasts: true,
      nodeSelector: { a: 'b' },
      images: ['one', 'two'],
      requests: { memoryBytes: 2 ** 30, milliCpu: 50 },
    },
    {
      release: 'neutron',
      workload: 'Job sync',
      count: 1,
      lasts: false,
      nodeSelector: {},
      images: ['two'],
      requests: { memoryBytes: 0, milliCpu: 0 },
    },
  ])
})

t.test('quantities of Kubernetes are numbers', async t => {
  const rows: [unknown, number][] = [
    ['1Ki', 1024],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['2M', 2_000_000],
    ['100m', 0.1],
    ['2', 2],
    [3, 3],
    [undefined, 0],
  ]
  for (const [text, number] of rows) t.equal(quantity(text), number, String(text))
})
