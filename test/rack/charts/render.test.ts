// The charts as helm renders them with the small rack's plan, optional services too: golden files, which
// `UPDATE_GOLDEN=1` rewrites.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { valuesOf, type ReleasePlan } from '#rack/charts/plan/plan.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { copyChart } from '#rack/charts/sources/ours.ts'
import { mergeValues, type Values } from '#rack/charts/values/values.ts'
import { run } from '#host/command.ts'
import { findTool } from '../cluster/api-server.ts'
import { smallSite } from '../../small-site.ts'

const helm = findTool('helm')
const skip = helm === undefined ? 'helm not built yet (pilotlight lab builds it)' : false
const openstack = { ...smallSite.openstack, waves: ['cinder', 'heat', 'magnum'] as const }
const { releases, namespace, secrets } = planCharts({ ...smallSite, openstack })
const directory = await mkdtemp(join(tmpdir(), 'charts-'))
t.teardown(() => rm(directory, { recursive: true }))

const plain = new Map<string, Promise<string>>()

/** The text that helm renders for a release, as planned or with more values laid over the plan's. */
function render(release: ReleasePlan, more?: Values): Promise<string> {
  if (more !== undefined) return renderWith(release, more)
  const text = plain.get(release.name) ?? renderWith(release, {})
  plain.set(release.name, text)
  return text
}

async function renderWith(release: ReleasePlan, more: Values): Promise<string> {
  const { path } = await copyChart(release.chart, directory)
  const args = ['template', release.name, path, '--namespace', namespace, '--values', '-']
  const input = JSON.stringify(mergeValues(valuesOf(release), more))
  return (await run(helm ?? 'helm', args, { limitSeconds: 30, input })).stdout
}

type Rendered = {
  kind: string
  metadata: { name: string }
  data?: Record<string, string>
  spec: { template?: { spec: PodSpec; metadata?: object } }
}
type PodSpec = {
  automountServiceAccountToken: boolean
  enableServiceLinks: boolean
  nodeSelector: object
  containers: Container[]
  initContainers?: Container[]
}
type Container = {
  name: string
  securityContext: object
  resources: object
  env?: Variable[]
  startupProbe?: object
  livenessProbe?: object
}
type Variable = { name: string; valueFrom?: { secretKeyRef?: { name: string; key: string } } }

const objectsOf = (text: string) =>
  parseAllDocuments(text).flatMap(document => (document.toJS() as Rendered | null) ?? [])
/** Scripts are read where they are written: golden files go without them, and without the hashes made of them. */
const withoutScripts = (text: string) =>
  text
    .split(/^(?=---\n)/m)
    .filter(document => !/^  name: \S+-bin$/m.test(document))
    .join('')
    .replaceAll(/(checksum\/bin: "|-db-sync-)[0-9a-f]{10}/g, '$1HASH')
const jobsOf = (text: string) => objectsOf(text).filter(({ kind }) => kind === 'Job')
const checksumsOf = (text: string) => text.match(/checksum\/etc: .*/g)
const named = (name: string) => releases.find(release => release.name === name) as ReleasePlan // of the plan

for (const release of releases) {
  t.test(`${release.name} renders as its golden file`, { skip }, async t => {
    const file = new URL(`golden/${release.name}.yaml`, import.meta.url)
    const text = withoutScripts(await render(release))
    if (process.env['UPDATE_GOLDEN'] === '1') {
      await writeFile(file, text)
      t.fail(`renewed ${release.name}.yaml: read the difference, then run without UPDATE_GOLDEN`)
      return
    }
    t.equal(text, await readFile(file, 'utf8'))
  })

  t.test(`${release.name} asks for no privilege beyond its host agents`, { skip }, async t => {
    const objects = objectsOf(await render(release))
    for (const { kind, spec } of objects) {
      if (spec?.template === undefined) continue
      const { containers, initContainers = [], ...pod } = spec.template.spec
      t.match(pod, { automountServiceAccountToken: false, enableServiceLinks: false })
      for (const { resources } of [...containers, ...initContainers])
        t.match(resources, { requests: { cpu: String, memory: String } })
      if (kind === 'DaemonSet') continue // agents of hosts: what each may do is said in its chart
      t.match(Object.keys(pod.nodeSelector), [/^openstack-(control-plane|network-node)$/])
      for (const { securityContext } of containers)
        t.match(securityContext, {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          capabilities: { drop: ['ALL'] },
        })
      for (const { securityContext } of initContainers)
        t.match(securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true })
    }
  })

  t.test(`${release.name} reads only secrets that the plan makes`, { skip }, async t => {
    const specs = objectsOf(await render(release)).flatMap(({ spec }) => spec?.template?.spec ?? [])
    t.ok(specs.length > 0)
    for (const { valueFrom } of specs.flatMap(({ containers }) =>
      containers.flatMap(({ env = [] }) => env),
    )) {
      const { name, key } = valueFrom?.secretKeyRef ?? {}
      if (name === undefined || key === undefined) continue
      t.ok(secrets.find(it => it.name === name)?.entries[key], `${name}/${key}`)
    }
  })

  t.test(`${release.name} writes no password into a ConfigMap`, { skip }, async t => {
    for (const { kind, data = {} } of objectsOf(await render(release)))
      if (kind === 'ConfigMap')
        for (const [file, text] of Object.entries(data))
          if (!/\.(sh|py)$/.test(file))
            t.notMatch(text, /^\s*(\w*password|transport_url|connection|\w*secret)\s*=/m, file)
  })

  t.test(`${release.name} has a disruption budget for each workload with replicas`, { skip }, async t => {
    const objects = objectsOf(await render(release))
    const namesOf = (...kinds: string[]) =>
      objects.filter(({ kind }) => kinds.includes(kind)).map(({ metadata }) => metadata.name)
    t.strictSame(namesOf('PodDisruptionBudget').toSorted(), namesOf('Deployment', 'StatefulSet').toSorted())
  })
}

t.test('the kubelet can ask every server whether it works, by HTTP or a connection', { skip }, async t => {
  for (const release of releases)
    for (const { kind, metadata, spec } of objectsOf(await render(release))) {
      if (kind !== 'Deployment' && kind !== 'StatefulSet') continue
      for (const { startupProbe, livenessProbe } of spec?.template?.spec.containers ?? [])
        for (const probe of [startupProbe, livenessProbe])
          t.match(Object.keys(probe ?? {}).join(), /httpGet|tcpSocket/, `${kind} ${metadata.name}`)
    }
})

const parts = async (more: Values) => {
  const objects = objectsOf(await render(named('keystone'), more))
  const deployment = objects.find(({ kind }) => kind === 'Deployment')
  const job = objects.find(({ kind }) => kind === 'Job')
  return { job: job?.metadata.name, template: JSON.stringify(deployment?.spec.template) }
}

t.test(
  'a changed option rolls the pods, and runs the job again only where the job reads it',
  { skip },
  async t => {
    const before = await parts({})
    const option = await parts({ conf: { keystone: { token: { expiration: 7200 } } } })
    t.equal(option.job, before.job)
    t.not(option.template, before.template)
    const read = await parts({ conf: { keystone: { identity: { password_hash_rounds: 5 } } } })
    t.not(read.job, before.job)
  },
)

t.test('a changed replica count changes only the count', { skip }, async t => {
  t.strictSame(await parts({ pod: { replicas: { api: 2 } } }), await parts({}))
})

t.test('a changed option of Nova changes its pods, and does not run its job again', { skip }, async t => {
  const more = { conf: { nova: { DEFAULT: { allow_resize_to_same_host: true } } } }
  const [before, after] = await Promise.all([render(named('nova')), render(named('nova'), more)])
  t.strictSame(jobsOf(after), jobsOf(before))
  t.equal(checksumsOf(after)?.length, checksumsOf(before)?.length)
  t.notSame(checksumsOf(after), checksumsOf(before))
})

t.test('a rotated secret runs the job again and rolls the pods', { skip }, async t => {
  const before = await parts({})
  const rotated = await parts({ secret_versions: { 'keystone-db': 2 } })
  t.not(rotated.job, before.job)
  t.not(rotated.template, before.template)
})

t.test('large numbers of a values file stay digits', { skip }, async t => {
  const text = await render(named('keystone'), { conf: { keystone: { token: { expiration: 300_000_000 } } } })
  t.match(text, /expiration = 300000000\n/)
})

t.test('an unknown kind of volume is refused with the two that there are', { skip }, async t => {
  const tried = render(named('mariadb'), { volume: { type: 'pvc' } })
  await t.rejects(tried, { message: /volume.type is "pvc": say host_path or empty_dir/ })
})
