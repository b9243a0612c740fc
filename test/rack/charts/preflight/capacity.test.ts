// Whether pods find a place: each way in which they may not, with its numbers and its remedy.

import t from 'tap'
import {
  checkPlacement,
  podGroupsOf,
  quantity,
  type Node,
  type PodGroup,
} from '#rack/charts/preflight/capacity.ts'
import { objectsIn } from '#rack/charts/preflight/rendered.ts'

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
  affinity: [],
  tolerations: [],
  devices: {},
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
      affinity: [],
      tolerations: [],
      devices: {},
      images: ['one', 'two'],
      requests: { memoryBytes: 2 ** 30, milliCpu: 50 },
    },
    {
      release: 'neutron',
      workload: 'Job sync',
      count: 1,
      lasts: false,
      nodeSelector: {},
      affinity: [],
      tolerations: [],
      devices: {},
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

const term = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator, ...(values.length === 0 ? {} : { values }) }],
})

t.test('required affinity is judged as the scheduler judges it', async t => {
  const nodes = [node('ctl-1', { ...control, cores: '8' }), node('ctl-2', { ...control, disk: 'ssd' })]
  const wants = (...affinity: PodGroup['affinity']) =>
    check([group({ affinity })], nodes).map(({ what }) => what)
  t.strictSame(wants(term('gpu', 'Exists')), [
    'Deployment nova-api wants a node where gpu Exists; ctl-1, ctl-2 are not such a node',
  ])
  t.strictSame(wants(term('gpu', 'Exists'), term('disk', 'In', 'ssd', 'nvme')), [])
  t.equal(wants(term('disk', 'In', 'hdd')).length, 1)
  t.strictSame(wants(term('disk', 'NotIn', 'ssd')), [])
  t.strictSame(wants(term('disk', 'DoesNotExist')), [])
  t.strictSame(wants(term('cores', 'Gt', '4')), [])
  t.equal(wants(term('cores', 'Lt', '8')).length, 1)
  t.equal(wants({}).length, 1, 'a term without expressions fits no node')
  t.equal(wants({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['ctl-9'] }] }).length, 1)
  t.strictSame(wants({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['ctl-2'] }] }), [])
})

const tainted = (...taints: NonNullable<NonNullable<Node['spec']>['taints']>) => [
  { ...node('ctl-1', control), spec: { taints } },
]

t.test('a taint keeps off what does not tolerate it', async t => {
  const taint = { key: 'dedicated', value: 'db', effect: 'NoSchedule' }
  const [problem] = check([group()], tainted(taint))
  t.match(problem, {
    what: 'Deployment nova-api does not tolerate the taint dedicated=db:NoSchedule of ctl-1, and no other node is for it',
    remedy: 'kubectl taint node ctl-1 dedicated=db:NoSchedule-',
  })
  const tolerating = (toleration: object) =>
    check([group({ tolerations: [{ ...toleration }] })], tainted(taint))
  t.strictSame(tolerating({ operator: 'Exists' }), [])
  t.strictSame(tolerating({ key: 'dedicated', value: 'db' }), [])
  t.equal(tolerating({ key: 'dedicated', value: 'web' }).length, 1)
  t.equal(tolerating({ key: 'dedicated', operator: 'Exists', effect: 'NoExecute' }).length, 1)
  t.strictSame(check([group()], tainted({ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' })), [])
  t.strictSame(check([group()], tainted({ key: 'old', effect: 'PreferNoSchedule' })), [])
})

t.test('a cordoned node takes no new pods but those of daemon sets and of what tolerates it', async t => {
  const cordoned = (name: string) => ({ ...node(name, control), spec: { unschedulable: true } })
  t.match(check([group()], [cordoned('ctl-1'), node('cmp-1', {})]), [
    {
      what: 'Deployment nova-api is only for ctl-1, and that node is cordoned',
      remedy: 'kubectl uncordon ctl-1',
    },
  ])
  t.strictSame(check([group()], [cordoned('ctl-1'), node('ctl-2', control)]), [])
  t.strictSame(check([group({ count: 'each node' })], [cordoned('ctl-1')]), [])
  const tolerations = [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }]
  t.strictSame(check([group({ tolerations })], [cordoned('ctl-1')]), [])
  const dedicated = { key: 'dedicated', effect: 'NoSchedule' }
  const both = { ...cordoned('ctl-1'), spec: { unschedulable: true, taints: [dedicated] } }
  t.match(check([group()], [both]), [{ remedy: 'kubectl taint node ctl-1 dedicated:NoSchedule-' }])
})

const offered = (count: string): Node => ({
  ...node('ctl-1', control),
  status: { allocatable: { memory: '9Gi', cpu: '4', 'nvidia.com/gpu': count } },
})

t.test('devices are asked for of a node that offers them', async t => {
  const [own] = podGroupsOf(
    'nova',
    objectsIn(
      'kind: Deployment\nmetadata: { name: ai }\nspec: { template: { spec: { containers: [{ image: a, resources: { limits: { nvidia.com/gpu: 2 } } }] } } }',
    ),
  )
  t.strictSame(own?.devices, { 'nvidia.com/gpu': 2 })
  const wanting = group({ devices: { 'nvidia.com/gpu': 2 } })
  t.match(check([wanting], [offered('1')]), [
    { what: 'Deployment nova-api asks for 2 nvidia.com/gpu, which ctl-1 does not offer' },
  ])
  t.strictSame(check([wanting], [offered('2')]), [])
})

const placed = (manifest: string) => check(podGroupsOf('nova', objectsIn(manifest)), [node('ctl-1', control)])

t.test(
  'pods of cron jobs and pods of their own need a node too; suspended jobs and tests do not',
  async t => {
    const pod = '{ nodeSelector: { gpu: "1" }, containers: [{ image: a }] }'
    const cron = (more: string) =>
      `kind: CronJob\nmetadata: { name: c }\nspec: { ${more} jobTemplate: { spec: { template: { spec: ${pod} } } } }\n`
    t.match(placed(cron('')), [{ what: /^CronJob c wants a node labelled gpu=1/ }])
    t.strictSame(placed(cron('suspend: true,')), [])
    t.match(placed(`kind: Pod\nmetadata: { name: p }\nspec: ${pod}\n`), [{ what: /^Pod p wants/ }])
    const hook = (when: string) =>
      `kind: Pod\nmetadata: { name: p, annotations: { helm.sh/hook: "${when}" } }\nspec: ${pod}\n`
    t.strictSame(placed(hook('test')), [])
    t.strictSame(placed(hook('pre-delete')), [])
    t.equal(placed(hook('post-install,post-upgrade')).length, 1)
  },
)
