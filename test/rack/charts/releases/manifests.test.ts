// Differences between what is deployed and what would be, and nothing secret among them.

import t from 'tap'
import {
  changedJobs,
  describeDiff,
  describeRefused,
  diffManifests,
  refusedChanges,
} from '#rack/charts/releases/manifests.ts'

const deployment = (image: string, password = 'one', replicas = 1) => `
kind: Deployment
metadata: { name: nova-api }
spec:
  replicas: ${replicas}
  template:
    spec:
      containers:
        - name: api
          image: ${image}
          env:
            - { name: OS_DATABASE__PASSWORD, value: ${password} }
            - { name: HOME, value: /tmp }
`
const configMap = (text: string) => `
kind: ConfigMap
metadata: { name: nova-etc }
data:
  nova.conf: |
${text.replaceAll(/^/gm, '    ')}
`

t.test('equal manifests have no difference, in whatever order', async t => {
  const [one, other] = [deployment('a'), configMap('x = 1')]
  t.strictSame(diffManifests(`${one}---${other}`, `${other}---${one}`), [])
})

t.test('objects that come and go are named', async t => {
  t.strictSame(diffManifests(deployment('a'), configMap('x = 1')), [
    { object: 'ConfigMap nova-etc', change: 'added', keys: [] },
    { object: 'Deployment nova-api', change: 'removed', keys: [] },
  ])
})

t.test('a changed key is shown with its place; lists of named things by name', async t => {
  t.strictSame(diffManifests(deployment('a:1'), deployment('a:2', 'one', 3)), [
    {
      object: 'Deployment nova-api',
      change: 'changed',
      keys: [
        { key: 'spec.replicas', before: '1', after: '3' },
        { key: 'spec.template.spec.containers.api.image', before: 'a:1', after: 'a:2' },
      ],
    },
  ])
})

t.test('of a text only the lines that differ are shown', async t => {
  const before = configMap('[DEFAULT]\nworkers = 1\ndebug = false')
  const after = configMap('[DEFAULT]\nworkers = 2\ndebug = false\nextra = 1')
  t.strictSame(describeDiff(diffManifests(before, after)), [
    '~ ConfigMap nova-etc',
    '    data["nova.conf"]',
    '      - workers = 1',
    '      + workers = 2',
    '      + extra = 1',
  ])
})

const secret = (text: string) => `kind: Secret\nmetadata: { name: s }\ndata: { anything: ${text} }\n`

t.test('no secret is shown: not of Secrets, nor where a name or an address reveals one', async t => {
  const rows: [before: string, after: string][] = [
    [secret('hunter1'), secret('hunter2')],
    [deployment('a', 'hunter1'), deployment('a', 'hunter2')],
    [configMap('admin_password = hunter1'), configMap('admin_password = hunter2')],
    [configMap('url = amqp://nova:hunter1@mq'), configMap('url = amqp://nova:hunter2@mq')],
    [configMap('x = 1'), `${configMap('x = 1')}  memcache_secret_key: hunter2\n`],
  ]
  for (const [before, after] of rows) {
    const lines = describeDiff(diffManifests(before, after)).join('\n')
    t.match(lines, '•••')
    t.notMatch(lines, 'hunter')
  }
})

t.test('a key that the preflight takes for that of a secret is hidden, too', async t => {
  const names = [
    'encryption_key',
    'fernet_keys',
    'erlang_cookie',
    'admin_pass',
    'root_pw',
    'passphrase',
    'psk',
    'kek',
  ]
  for (const name of names) {
    const line = (text: string) => configMap(`${name} = ${text}`)
    const key = (text: string) =>
      `kind: ConfigMap\nmetadata: { name: nova-etc }\ndata: { ${name}: ${text} }\n`
    for (const manifest of [line, key]) {
      const lines = describeDiff(diffManifests(manifest('hunter1'), manifest('hunter2'))).join('\n')
      t.match(lines, '•••', name)
      t.notMatch(lines, 'hunter', name)
    }
  }
  const url = (text: string) => configMap(`url = redis://:${text}@cache`)
  t.notMatch(describeDiff(diffManifests(url('hunter1'), url('hunter2'))).join('\n'), 'hunter')
  const plain = configMap('service_token_roles_required = 1\npublic_name = a')
  t.match(describeDiff(diffManifests(plain, plain.replace('= a', '= b'))).join('\n'), 'public_name = b')
})

const job = (name: string, image: string, limit = 6) =>
  `kind: Job\nmetadata: { name: ${name} }\nspec: { backoffLimit: ${limit}, template: { spec: { containers: [{ image: ${image} }] } } }\n`

t.test('nor in what is wholly added or removed', async t => {
  const secret = 'hunter2'
  const file = `  new.conf: |\n    [db]\n    password = ${secret}\n    url = redis://:${secret}@host\n    size = 3\n`
  const container = `        - name: sidecar\n          env: [{ name: DB_PASSWORD, value: ${secret} }, { name: SIZE, value: big }]\n`
  for (const [without, more] of [
    [configMap('x = 1'), file],
    [deployment('a'), container],
  ] as const) {
    const added = without.trimEnd() + '\n' + more
    for (const [before, after] of [
      [without, added],
      [added, without],
    ] as const) {
      const shown = JSON.stringify(diffManifests(before, after))
      t.notMatch(shown, secret)
      t.match(shown, /size = 3|big/)
    }
  }
})

t.test('a job with other pods is one that an upgrade must make anew', async t => {
  const before = [job('cell-setup', 'a'), job('bootstrap', 'a'), job('gone', 'a'), deployment('a')].join(
    '---\n',
  )
  const after = [job('cell-setup', 'b'), job('bootstrap', 'a', 7), job('new', 'b'), deployment('b')].join(
    '---\n',
  )
  t.strictSame(changedJobs(before, after), ['cell-setup'])
})

t.test('a text that the next apply makes is shown as new, also where a secret would be hidden', async t => {
  t.strictSame(
    diffManifests(deployment('a', 'one'), deployment('a', '«new»')).flatMap(it => it.keys),
    [
      {
        key: 'spec.template.spec.containers.api.env.OS_DATABASE__PASSWORD.value',
        before: '•••',
        after: '«new»',
      },
    ],
  )
  const lines = describeDiff(
    diffManifests(configMap('x = 1'), configMap('x = 1\npassword = «new»\ntoken = «new»x')),
  )
  t.ok(lines.includes('      + password = «new»'))
  t.ok(lines.includes('      + token = •••'))
})

const server = (spec: string) => `
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: server }
spec: { serviceName: db, replicas: 1, selector: { matchLabels: { a: b } }, ${spec} }
`
const claim = (size: string) =>
  `volumeClaimTemplates: [{ metadata: { name: data }, spec: { resources: { requests: { storage: ${size} } } } }]`

const refused = (before: string, after: string) =>
  refusedChanges(before, after, 'openstack').map(({ object, keys }) => [object, ...keys])

t.test('what Kubernetes does not change is named with the object and the keys', async t => {
  t.strictSame(refused(server(claim('1Gi')), server('template: {}')), [
    ['StatefulSet server', 'spec.volumeClaimTemplates'],
  ])
  t.strictSame(refused(server(claim('1Gi')), server(claim('2Gi'))), [
    ['StatefulSet server', 'spec.volumeClaimTemplates'],
  ])
  t.strictSame(
    refused(server(''), server('').replace('serviceName: db', 'serviceName: db2').replace('a: b', 'a: c')),
    [['StatefulSet server', 'spec.selector', 'spec.serviceName']],
  )
  t.strictSame(refused(server(claim('1Gi')), server(claim('1Gi')).replace('replicas: 1', 'replicas: 3')), [])
  t.strictSame(refused(server(''), ''), [], 'what is removed is not changed')
  t.strictSame(refused(deployment('a'), deployment('b', 'two', 3)), [])
  const [change] = refusedChanges(server(''), server(claim('1Gi')), 'openstack')
  t.match(
    change && describeRefused(change),
    /claims and their data stay.*kubectl delete statefulset server --namespace openstack$/,
  )
})

const jobWith = (spec: string) => `kind: Job\nmetadata: { name: sync }\nspec: { ${spec} }\n`

t.test('a Job with another count of pods is made anew, one that may only run longer is not', async t => {
  t.strictSame(changedJobs(jobWith('completions: 1'), jobWith('completions: 2')), ['sync'])
  t.strictSame(changedJobs(jobWith('activeDeadlineSeconds: 1'), jobWith('activeDeadlineSeconds: 2')), [])
})
