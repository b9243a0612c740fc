// What the charts of openstack-helm are, from the facts beside this file: their values as far as the plan depends on them,
// and charts with the same names, keys, selectors, waits and claims, made of those facts alone, that Helm can render.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mergeValues, type Values } from '#rack/charts/values/values.ts'

/** Facts of one chart; the texts are lists with blanks between. */
export type ChartFacts = {
  readonly version: string
  readonly dependencies: readonly string[]
  /** `agent.dhcp:openstack-control-plane=enabled` */
  readonly labels: string
  /** `Deployment NAME on LABEL [hook WHEN] [waits service/A job/B pod/K=V@node] [claims CLASS] [is K=V,K=V]` */
  readonly workloads: readonly string[]
  readonly services: string
  readonly ingresses: string
  /** `ConfigMap ceph-etc`: referred to, and made by no chart. */
  readonly missing: readonly string[]
  readonly endpoints: Readonly<Record<string, { users?: string; host: string | null; ports?: string }>>
  /** Keys of values whose default is a published text. */
  readonly published: readonly string[]
  /** Keys below `network`. */
  readonly nodePorts: string
  readonly images: string
  readonly ingressManifests: string
}

/** One workload, its line taken apart. */
export type Workload = {
  readonly kind: string
  readonly name: string
  readonly label: string
  readonly hook?: string
  readonly waits: readonly string[]
  readonly claims: readonly string[]
  /** Labels of its pods: `application=nova,component=compute`. */
  readonly is: string
}

type Facts = { versions: Record<string, Record<string, Partial<ChartFacts>>> }

const facts = JSON.parse(await readFile(join(import.meta.dirname, 'facts.json'), 'utf8')) as Facts
const [newest = '', older = ''] = Object.keys(facts.versions)

/** The charts of each version, by name. The older one lists only what differs. */
export const versions: Readonly<Record<string, Readonly<Record<string, ChartFacts>>>> = {
  [newest]: facts.versions[newest] as Record<string, ChartFacts>, // complete
  [older]: Object.fromEntries(
    Object.entries(facts.versions[newest] ?? {}).map(([name, chart]) => [
      name,
      { ...chart, ...facts.versions[older]?.[name] } as ChartFacts,
    ]),
  ),
}

export const words = (text: string): string[] => text.split(' ').filter(word => word !== '')

/** The workloads of a chart. */
export function workloadsOf({ workloads }: ChartFacts): Workload[] {
  return workloads.map(line => {
    const [kind = '', name = '', ...rest] = words(line)
    const of: Record<string, string[]> = {}
    let key = ''
    for (const word of rest) {
      if (['on', 'hook', 'waits', 'claims', 'is'].includes(word)) of[(key = word)] = []
      else of[key]?.push(word)
    }
    const [label = ''] = of['on'] ?? []
    const [hook] = of['hook'] ?? []
    return {
      kind,
      name,
      label,
      waits: of['waits'] ?? [],
      claims: of['claims'] ?? [],
      is: of['is']?.[0] ?? '',
      ...(hook === undefined ? {} : { hook }),
    }
  })
}

/** A map with one value at a path of keys. */
export function at(path: readonly string[], value: unknown): Values {
  return path.toReversed().reduce<unknown>((inner, key) => ({ [key]: inner }), value) as Values
}

/** The value at a path of keys. */
export function valueIn(values: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], values)
}

/** The text that stands for whatever a chart publishes. */
export const PUBLISHED = 'published-by-upstream'

/** The values of a chart, as far as the facts have them. */
export function valuesOfChart(name: string, chart: ChartFacts): Values {
  const parts: Values[] = [
    ...words(chart.labels).map(word => {
      const [path = '', selector = ''] = word.split(':')
      const [key, value] = selector.split('=')
      return at(['labels', ...path.split('.')], { node_selector_key: key, node_selector_value: value })
    }),
    ...words(chart.images).map(tag => at(['images', 'tags', tag], `example.invalid/${tag}:1`)),
    ...words(chart.ingressManifests).map(key => at(['manifests', key], true)),
    ...words(chart.nodePorts).map(key => at(['network', ...key.split('.')], { enabled: false, port: 30000 })),
    ...Object.entries(chart.endpoints).map(([key, { users = '', host, ports = '' }]) =>
      at(['endpoints', key], {
        auth: Object.fromEntries(
          words(users).map(user => {
            const [account = '', username] = user.split('=')
            return [account, username === undefined ? {} : { username }]
          }),
        ),
        hosts: { default: host },
        host_fqdn_override: { default: null },
        port: Object.fromEntries(words(ports).map(port => [port, { default: 80 }])),
      }),
    ),
    ...chart.published.map(key => at(key.split('.'), PUBLISHED)),
    ...(chart.missing.length > 0 ? [{ conf: { ceph: { enabled: true } } }] : []),
    ...(workloadsOf(chart).some(({ claims }) => claims.length > 0)
      ? [{ volume: { enabled: true, class_name: 'general' } }]
      : []),
    { secrets: { identity: { admin: `${name}-keystone-admin` } } },
  ]
  return parts.reduce(mergeValues)
}

/**
 * Writes a chart for each of the facts below `folder`, in the layout of a bare checkout: what they depend on is beside them.
 * They make the workloads, services, claims and ingresses of the facts from the values, as upstream's do.
 */
export async function writeCharts(
  folder: string,
  charts: Readonly<Record<string, ChartFacts>>,
  more: Readonly<Record<string, Values>> = {},
): Promise<void> {
  for (const needed of new Set(Object.values(charts).flatMap(chart => chart.dependencies)))
    await writeChart(folder, needed, { version: '2026.1.0', dependencies: [] }, {}, toolkit)
  for (const [name, chart] of Object.entries(charts)) {
    const values = mergeValues(valuesOfChart(name, chart), more[name] ?? {})
    await writeChart(folder, name, chart, values, templateOf(chart))
  }
}

async function writeChart(
  folder: string,
  name: string,
  { version, dependencies }: Pick<ChartFacts, 'version' | 'dependencies'>,
  values: Values,
  template: string,
): Promise<void> {
  const path = join(folder, name)
  await mkdir(join(path, 'templates'), { recursive: true })
  const needed = dependencies.map(it => ({ name: it, repository: `file://../${it}`, version: '>= 0.1.0' }))
  const file = { apiVersion: 'v2', name, version, dependencies: needed }
  await writeFile(join(path, 'Chart.yaml'), JSON.stringify(file))
  await writeFile(join(path, 'values.yaml'), JSON.stringify(values, undefined, 1))
  await writeFile(join(path, 'templates', name === 'helm-toolkit' ? '_all.tpl' : 'all.yaml'), template)
}

/** A named template that the charts need, so that one without its dependency does not render. */
const toolkit =
  '{{- define "helm-toolkit.selector" }}{{ .node_selector_key }}: {{ .node_selector_value }}{{ end }}\n'

function templateOf(chart: ChartFacts): string {
  const { services, ingresses, missing } = chart
  const switched = words(chart.ingressManifests)
  return [
    ...workloadsOf(chart).map(workload => workloadTemplate(workload, missing)),
    ...words(services).map(
      name => `kind: Service\napiVersion: v1\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }`,
    ),
    ...words(ingresses).map(
      name =>
        `{{- if and ${switched.map(key => `.Values.manifests.${key}`).join(' ')} true }}\nkind: Ingress\napiVersion: networking.k8s.io/v1\n` +
        `metadata: { name: ${name} }\nspec: { rules: [{ host: 10.0.0.1 }] }\n{{- end }}`,
    ),
    ...words(chart.nodePorts).map(
      key =>
        `{{- if .Values.network.${key}.enabled }}\nkind: Service\napiVersion: v1\nmetadata: { name: ${words(services)[0]}-${key.replaceAll(/[._]/g, '-')} }\n` +
        `spec: { type: NodePort, ports: [{ port: 80, nodePort: {{ .Values.network.${key}.port }} }] }\n{{- end }}`,
    ),
  ].join('\n---\n')
}

/** The first container, with the variables of kubernetes-entrypoint. Barbican is waited for unless values say for what instead. */
function waitLines(waits: readonly string[]): string[] {
  const of = (kind: string) =>
    waits.filter(it => it.startsWith(`${kind}/`)).map(it => it.slice(kind.length + 1))
  const [barbican] = of('service').filter(name => name === 'barbican-api')
  const services = of('service').filter(name => name !== barbican)
  const pods = of('pod').map(text => {
    const [labels = '', node] = text.split('@')
    const pairs = labels.split(',').map(pair => pair.split('='))
    return {
      namespace: 'openstack',
      labels: Object.fromEntries(pairs) as object,
      requireSameNode: node !== undefined,
    }
  })
  const variables = [
    ['SERVICE', services.map(name => `openstack:${name}`).join(',')],
    ['JOBS', of('job').join(',')],
    ['POD_JSON', pods.length === 0 ? '' : JSON.stringify(pods)],
  ].filter(([, value]) => value !== '')
  return [
    '      initContainers:',
    '      - name: init',
    '        image: {{ (values .Values.images.tags | sortAlpha | last) | quote }}',
    '        env:',
    ...variables.map(([name, value]) => `        - { name: DEPENDENCY_${name}, value: '${value}' }`),
    ...(barbican === undefined
      ? []
      : [
          '{{- if not ((.Values.dependencies).static) }}',
          `        - { name: DEPENDENCY_SERVICE, value: ${barbican} }`,
          '{{- end }}',
        ]),
  ]
}

function workloadTemplate(
  { kind, name, label, hook, claims, waits, is }: Workload,
  missing: readonly string[],
): string {
  const path = `.Values.labels.${label}`
  const refers = ['DaemonSet', 'Deployment'].includes(kind) ? missing : []
  const volumes = refers.map((reference, index) => {
    const [of = '', object = ''] = reference.split(' ')
    const from = of === 'Secret' ? `secret: { secretName: ${object} }` : `configMap: { name: ${object} }`
    return `      - { name: v${index}, ${from} }`
  })
  const pod = [
    ...(is === '' ? [] : [`    metadata: { labels: { ${is.replaceAll('=', ': ').replaceAll(',', ', ')} } }`]),
    `    spec:`,
    `      nodeSelector: { {{ include "helm-toolkit.selector" ${path} }} }`,
    `      containers: [{ name: main, image: {{ (values .Values.images.tags | sortAlpha | last) | quote }} }]`,
    ...waitLines(waits),
    ...(volumes.length > 0
      ? ['{{- if ((.Values.conf).ceph).enabled }}', '      volumes:', ...volumes, '{{- end }}']
      : []),
  ].join('\n')
  const head = `kind: ${kind}\napiVersion: apps/v1\nmetadata:\n  name: ${name}${hook === undefined ? '' : `\n  annotations: { helm.sh/hook: ${hook} }`}`
  const indented = pod.replaceAll(/^(?!\{)/gm, '    ')
  const body =
    kind === 'CronJob' ? `  jobTemplate:\n    spec:\n      template:\n${indented}` : `  template:\n${pod}`
  const claim =
    claims.length > 0
      ? `\n{{- if .Values.volume.enabled }}\n  volumeClaimTemplates: [{ metadata: { name: data }, spec: { storageClassName: {{ .Values.volume.class_name }} } }]\n{{- end }}`
      : ''
  return `${head}\nspec:\n${body}${claim}`
}
