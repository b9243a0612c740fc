// What pods lack beyond a place: classes of storage, ConfigMaps and Secrets.

import t from 'tap'
import { checkObjects, classesOf, needsOf, type ClusterObjects } from '#rack/charts/preflight/objects.ts'
import { objectsIn } from '#rack/charts/preflight/rendered.ts'

const bare: ClusterObjects = { classes: [], hasDefaultClass: false, names: new Set() }
const problems = (manifest: string, cluster: Partial<ClusterObjects> = {}, secrets: string[] = []) =>
  checkObjects([needsOf('db', objectsIn(manifest))], { ...bare, ...cluster }, secrets).map(({ what }) => what)

const claim = (more: string) => `
kind: StatefulSet
metadata: { name: server }
spec:
  template: { spec: { containers: [{ name: a }] } }
  volumeClaimTemplates: [{ metadata: { name: data }, spec: { ${more} } }]
`

t.test('a claim of a class that the cluster lacks is reported with the classes that it has', async t => {
  const general = claim('storageClassName: general')
  const what = 'StatefulSet server claims a volume of storage class "general"; the cluster has'
  t.strictSame(problems(general), [`${what} none`])
  t.strictSame(problems(general, { classes: ['fast', 'slow'], hasDefaultClass: true }), [
    `${what} fast, slow`,
  ])
  t.strictSame(problems(general, { classes: ['general'] }), [])
})

t.test('a claim without a class takes the default, if there is one', async t => {
  const alone =
    'kind: PersistentVolumeClaim\nmetadata: { name: images }\nspec: { accessModes: [ReadWriteOnce] }\n'
  t.strictSame(problems(alone, { classes: ['fast'] }), [
    'PersistentVolumeClaim images claims a volume of the default storage class; the cluster has fast',
  ])
  t.strictSame(problems(alone, { classes: ['fast'], hasDefaultClass: true }), [])
})

const localVolume = (phase: string, namespace?: string) => ({
  spec: { storageClassName: 'local', ...(namespace === undefined ? {} : { claimRef: { namespace } }) },
  status: { phase },
})

t.test('a class that makes no volumes gives those that are free', async t => {
  const local = {
    metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'kubernetes.io/no-provisioner',
  }
  const disks = { metadata: { name: 'disks' }, provisioner: 'example.org/disks' }
  const wanting = claim('storageClassName: local')
  const judged = (...volumes: ReturnType<typeof localVolume>[]) =>
    problems(wanting, classesOf('openstack', [local, disks], volumes))
  const none = [
    'StatefulSet server claims a volume of storage class "local", which makes none, and no PersistentVolume of it is free',
  ]
  t.strictSame(judged(), none)
  t.strictSame(judged(localVolume('Released', 'openstack'), localVolume('Bound', 'kube-system')), none)
  t.strictSame(judged(localVolume('Available')), [])
  t.strictSame(judged(localVolume('Bound', 'openstack')), [], 'that of an earlier run')
  t.strictSame(problems(claim('storageClassName: disks'), classesOf('openstack', [local, disks], [])), [])
  t.match(problems(claim('accessModes: []'), classesOf('openstack', [local, disks], [])), [
    /claims a volume of the default storage class; the cluster has disks$/,
  ])
})

const pod = (template: string, kind = 'Deployment') => `
kind: ${kind}
metadata: { name: api }
spec: { template: { spec: { ${template} } } }
`
const references: readonly [form: string, template: string, name: string][] = [
  ['a volume', 'containers: [{}], volumes: [{ configMap: { name: etc } }]', 'ConfigMap etc'],
  ['a secret volume', 'containers: [{}], volumes: [{ secret: { secretName: keys } }]', 'Secret keys'],
  [
    'a projection',
    'containers: [{}], volumes: [{ projected: { sources: [{ secret: { name: keys } }] } }]',
    'Secret keys',
  ],
  ['a variable', 'containers: [{ env: [{ valueFrom: { secretKeyRef: { name: keys } } }] }]', 'Secret keys'],
  [
    'all variables',
    'containers: [{}], initContainers: [{ envFrom: [{ configMapRef: { name: etc } }] }]',
    'ConfigMap etc',
  ],
]
for (const [form, template, name] of references)
  t.test(`${form} from what no one makes is reported, unless it is optional or there`, async t => {
    const [kind, own = ''] = name.split(' ')
    t.strictSame(problems(pod(template)), [
      `Deployment api refers to ${name}, which neither a release of the plan makes nor the cluster has`,
    ])
    t.strictSame(
      problems(pod(template.replaceAll(/(name|secretName): (etc|keys)/g, '$&, optional: true'))),
      [],
    )
    t.strictSame(problems(`${pod(template)}---\nkind: ${kind}\nmetadata: { name: ${own} }\n`), [])
    t.strictSame(problems(pod(template), { names: new Set([name]) }), [])
    t.strictSame(problems(pod(template), {}, [own]), kind === 'Secret' ? [] : problems(pod(template)))
  })

t.test('a certificate makes the secret that it names, and a test pod is not one of the plan', async t => {
  const wants = 'containers: [{}], volumes: [{ secret: { secretName: tls } }]'
  const certificate = 'kind: Certificate\nmetadata: { name: x }\nspec: { secretName: tls }\n'
  t.strictSame(problems(`${pod(wants)}---\n${certificate}`), [])
  const test = `kind: Pod\nmetadata: { name: test, annotations: { helm.sh/hook: test-success } }\nspec: { ${wants} }\n`
  t.strictSame(problems(test), [])
  t.equal(problems(test.replace('test-success', 'post-install')).length, 1)
})

const podOf = (spec: string) =>
  `kind: Deployment\nmetadata: { name: web }\nspec: { template: { spec: { containers: [{ name: a }], ${spec} } } }\n`

t.test('whatever a pod refers to must be there, each kind', async t => {
  const lacking = (spec: string, name: string) => {
    const what = `Deployment web refers to ${name}, which neither a release of the plan makes nor the cluster has`
    t.strictSame(problems(podOf(spec)), [what])
    t.strictSame(problems(podOf(spec), { names: new Set([name]) }), [], name)
  }
  lacking('priorityClassName: gold', 'PriorityClass gold')
  lacking('serviceAccountName: web', 'ServiceAccount web')
  lacking('runtimeClassName: kata', 'RuntimeClass kata')
  lacking('volumes: [{ name: d, persistentVolumeClaim: { claimName: data } }]', 'PersistentVolumeClaim data')
  t.strictSame(problems(podOf('serviceAccountName: default, priorityClassName: system-node-critical')), [])
  const account = 'kind: ServiceAccount\nmetadata: { name: web }\n---\n'
  t.strictSame(problems(account + podOf('serviceAccountName: web')), [])
  t.strictSame(
    problems(
      podOf(
        'volumes: [{ name: d, ephemeral: { volumeClaimTemplate: { spec: { storageClassName: fast } } } }]',
      ),
    ),
    ['Deployment web claims a volume of storage class "fast"; the cluster has none'],
  )
})

const env = (key: string) =>
  `kind: Job\nmetadata: { name: j }\nspec: { template: { spec: { containers: [{ name: a, env: [{ name: X, valueFrom: { secretKeyRef: { name: db, key: ${key} } } }] }] } } }\n`

const volume = (key: string) =>
  `kind: Job\nmetadata: { name: j }\nspec: { template: { spec: { containers: [{ name: a }], volumes: [{ name: v, secret: { secretName: db, items: [{ key: ${key}, path: f }] } }] } } }\n`

t.test('a key that is read must be in what the plan makes', async t => {
  const made = 'kind: Secret\nmetadata: { name: db }\nstringData: { user: a }\n---\n'
  for (const job of [env, volume]) {
    t.strictSame(problems(made + job('user')), [])
    t.strictSame(problems(made + job('password')), [
      'Job j refers to key password of Secret db, which neither a release of the plan makes nor the cluster has',
    ])
    t.strictSame(
      problems('kind: Secret\nmetadata: { name: db }\n---\n' + job('password')),
      [],
      'a job fills it',
    )
  }
})
