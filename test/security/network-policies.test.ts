// The network policies of OpenStack's charts and of the cluster, judged as an engine would: what clients are configured to
// reach is let through, and nothing else. flannel enforces none of them (docs/security.md); this says that one that does breaks
// nothing.

import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'

type Labels = Readonly<Record<string, string>>
type Selector = {
  readonly matchLabels?: Labels
  readonly matchExpressions?: readonly { key: string; operator: 'In'; values: readonly string[] }[]
}
type Policy = {
  readonly podSelector: Selector
  readonly policyTypes: readonly string[]
  readonly ingress?: readonly {
    readonly ports: readonly { readonly port: number; readonly protocol: string }[]
    readonly from?: readonly { readonly podSelector: Selector }[]
  }[]
}
type PodSpec = { readonly hostNetwork?: boolean; readonly containers: readonly object[] }
type Rendered = {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly data?: Labels
  readonly spec?: {
    readonly selector?: Labels
    readonly ports?: readonly { port: number; targetPort: number; nodePort?: number }[]
    readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec }
  }
}
type Pod = { readonly name: string; readonly chart: string; readonly labels: Labels; readonly spec: PodSpec }

const charts = globSync(join(import.meta.dirname, '../rack/charts/golden/*.yaml')).map(file => ({
  name: basename(file, '.yaml'),
  objects: parseAllDocuments(readFileSync(file, 'utf8')).flatMap(
    document => (document.toJS() as Rendered | null) ?? [],
  ),
}))
const objects = charts.flatMap(chart => chart.objects)
const pods = charts.flatMap(({ name, objects }) => podsOf(objects, name))
const policies = policiesOf(objects)
const services = new Map(
  objects.flatMap(({ kind, metadata, spec }) => (kind === 'Service' && spec ? [[metadata.name, spec]] : [])),
)
const system = JSON.parse(
  readFileSync(join(import.meta.dirname, '../rack/cluster/golden/objects.json'), 'utf8'),
) as Rendered[]

t.test('every pod on the pod network has a policy, and so lets in only what is named', async t => {
  const inside = pods.filter(({ spec }) => spec.hostNetwork !== true)
  t.ok(inside.length > 20, `${inside.length} pods`)
  for (const { name, labels } of inside) {
    t.ok(
      policies.some(policy => selects(policy.podSelector, labels)),
      name,
    )
    t.notOk(isLetIn(policies, labels, 22, undefined), `${name}: a port that it does not have`)
  }
})

t.test('every pod reaches what its configuration names', async t => {
  let flows = 0
  for (const pod of pods) {
    for (const { service, port } of addressesIn(pod)) {
      const sender = pod.spec.hostNetwork === true ? undefined : pod.labels
      for (const { labels, port: target } of behind(service, port)) {
        flows += 1
        t.ok(isLetIn(policies, labels, target, sender), `${pod.name} -> ${service}:${port}`)
      }
    }
  }
  t.ok(flows > 100, `${flows} flows`)
})

t.test('node ports answer any host that reaches the machine', async t => {
  const open = [...services].filter(([, { ports = [] }]) =>
    ports.some(({ nodePort }) => nodePort !== undefined),
  )
  t.ok(open.length > 8, `${open.length} services`)
  for (const [name, { ports = [] }] of open)
    for (const { port } of ports)
      for (const { labels, port: target } of behind(name, port))
        t.ok(isLetIn(policies, labels, target, undefined), name)
})

t.test('the database and the cache are for the services that use them', async t => {
  const strangers: (Labels | undefined)[] = [
    undefined, // a machine, or a host behind it
    {},
    { app: 'guestbook' },
    ...pods.filter(({ chart }) => ['rabbitmq', 'libvirt'].includes(chart)).map(({ labels }) => labels),
  ]
  for (const [service, port] of [
    ['mariadb', 3306],
    ['memcached', 11211],
  ] as const)
    for (const { labels, port: target } of behind(service, port))
      for (const stranger of strangers)
        t.notOk(isLetIn(policies, labels, target, stranger), `${JSON.stringify(stranger)} -> ${service}`)
})

t.test('all may ask for names, and nothing else of the resolver', async t => {
  const own = policiesOf(system)
  const [dns] = podsOf(system, 'system').filter(({ name }) => name === 'coredns')
  for (const protocol of ['UDP', 'TCP'])
    for (const sender of [undefined, {}, { app: 'guestbook' }])
      t.ok(isLetIn(own, dns?.labels ?? {}, 53, sender, protocol), protocol)
  t.notOk(isLetIn(own, dns?.labels ?? {}, 8080, {}))
})

/** Whether a pod gets a packet: of a pod of the same namespace with `sender`'s labels, or of any other host. The kubelet of its own node always may. */
function isLetIn(
  policies: readonly Policy[],
  pod: Labels,
  port: number,
  sender: Labels | undefined,
  protocol = 'TCP',
): boolean {
  const own = policies.filter(({ podSelector }) => selects(podSelector, pod))
  if (own.length === 0) return true
  return own.some(({ ingress = [] }) =>
    ingress.some(
      ({ ports, from }) =>
        ports.some(one => one.port === port && one.protocol === protocol) &&
        (from === undefined || from.some(one => sender !== undefined && selects(one.podSelector, sender))),
    ),
  )
}

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ''))
  )
}

function podsOf(objects: readonly Rendered[], chart: string): Pod[] {
  return objects.flatMap(({ metadata, spec }) =>
    spec?.template === undefined
      ? []
      : [{ name: metadata.name, chart, labels: spec.template.metadata.labels, spec: spec.template.spec }],
  )
}

function policiesOf(objects: readonly Rendered[]): Policy[] {
  return objects.flatMap(({ kind, spec }) => (kind === 'NetworkPolicy' ? [spec as unknown as Policy] : []))
}

/** The pods of a Service, and the port that it leads to. */
function behind(service: string, port: number) {
  const { selector = {}, ports = [] } = services.get(service) ?? {}
  const target = ports.find(one => one.port === port)?.targetPort
  if (target === undefined) throw new Error(`${service} has no port ${port}`)
  return pods
    .filter(({ labels, spec }) => spec.hostNetwork !== true && selects({ matchLabels: selector }, labels))
    .map(({ labels }) => ({ labels, port: target }))
}

/**
 * The Services that a pod's commands and variables name; for pods on the pod network also those in the files of its chart. (Agents
 * on machines share files with their servers, and name there what only those use.)
 */
function addressesIn({ chart, spec }: Pod): { service: string; port: number }[] {
  const files = charts
    .filter(({ name }) => name === chart && spec.hostNetwork !== true)
    .flatMap(({ objects }) => objects.flatMap(({ data = {} }) => Object.values(data)))
  const text = [JSON.stringify(spec), ...files].join('\n')
  const found = new Map<string, { service: string; port: number }>()
  for (const [, service = '', port] of text.matchAll(
    /([a-z][a-z-]+)(?:\.openstack\.svc\.cluster\.local)?:(\d{2,5})\b/g,
  ))
    if (services.has(service)) found.set(`${service}:${port}`, { service, port: Number(port) })
  return [...found.values()]
}
