// Whether the pods of a plan find a place on the nodes: labels, images, memory and processor, judged before anything is
// installed, as the scheduler and the kubelet would judge it later and one by one. Pure.

import type { PreflightProblem } from '../errors.ts'
import { mapAt, type Values } from '../values/values.ts'
import { containersOf, labelsIn, labelText, mapsIn, podTemplateOf, titleOf } from './rendered.ts'

/** The equal pods of one workload. */
export type PodGroup = {
  readonly release: string
  /** `DaemonSet nova-compute`. */
  readonly workload: string
  /** Of a daemon set one on each node that it selects. */
  readonly count: number | 'each node'
  /** False for a job: it ends, and releases its resources. */
  readonly lasts: boolean
  readonly nodeSelector: Readonly<Record<string, string>>
  /** Terms of required node affinity; a node that fits one of them will do. None: any node. */
  readonly affinity: readonly Values[]
  readonly tolerations: readonly Values[]
  /** Of devices and the like (`nvidia.com/gpu`), how many each pod asks for. */
  readonly devices: Readonly<Record<string, number>>
  readonly images: readonly string[]
  readonly requests: Requests
}

/** Resources that a pod requests, or that a node offers. */
export type Requests = { readonly memoryBytes: number; readonly milliCpu: number }

/** A node as the API shows it; only what is read. */
export type Node = {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  /** `unschedulable`: someone cordoned it. */
  readonly spec?: { readonly taints?: readonly Taint[]; readonly unschedulable?: boolean }
  readonly status?: {
    readonly allocatable?: Readonly<Record<string, string>>
    readonly images?: readonly { readonly names?: readonly string[] }[]
  }
}

type Taint = { readonly key: string; readonly value?: string; readonly effect: string }

/** The kubelet reports no more images than this (its `nodeStatusMaxImages`). */
const reportedImages = 50

/** The pods that rendered objects would make. */
export function podGroupsOf(release: string, objects: readonly Values[]): PodGroup[] {
  return objects.flatMap(object => {
    const pod = podTemplateOf(object)?.spec
    if (pod === undefined) return []
    const { kind } = object
    const replicas = mapAt(object, 'spec')['replicas']
    const containers = mapsIn(pod['containers'])
    const first = mapsIn(pod['initContainers'])
    const required = mapAt(pod, 'affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution')
    return [
      {
        release,
        workload: titleOf(object),
        count: kind === 'DaemonSet' ? 'each node' : typeof replicas === 'number' ? replicas : 1,
        lasts: kind !== 'Job' && kind !== 'CronJob',
        nodeSelector: labelsIn(mapAt(pod, 'nodeSelector')),
        affinity: mapsIn(required['nodeSelectorTerms']),
        tolerations: mapsIn(pod['tolerations']),
        devices: devicesOf(containersOf(pod)),
        images: [...new Set([...containers, ...first].map(({ image }) => String(image)))],
        requests: requestsOf(containers, first),
      },
    ]
  })
}

/**
 * What keeps these pods from the nodes. `used` is what others ask for already, by the node's name.
 *
 * `registry` is the name under which images are kept that can only come with the node's own image.
 */
export function checkPlacement(
  groups: readonly PodGroup[],
  nodes: readonly Node[],
  used: ReadonlyMap<string, Requests>,
  registry: string,
): PreflightProblem[] {
  const homeless = groups.filter(group => nodesFor(group, nodes).length === 0)
  const rest = groups.filter(group => !homeless.includes(group))
  return [
    ...homeless.map(group => noNode(group, nodes)),
    ...missingDevices(rest, nodes),
    ...missingImages(rest, nodes, registry),
    ...tooLittle(rest, nodes, used),
  ]
}

/** Why none of the nodes will do: its label, its affinity, or what the nodes that have both are tainted with. */
function noNode(group: PodGroup, nodes: readonly Node[]): PreflightProblem {
  const { release, workload, nodeSelector, affinity } = group
  const label = labelText(nodeSelector)
  const names = nodes.map(({ metadata }) => metadata.name)
  const labelled = nodes.filter(node => hasLabels(node, nodeSelector))
  if (labelled.length === 0)
    return {
      release,
      what: `${workload} wants a node labelled ${label}; ${names.length === 0 ? 'there is no node' : `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} not`}`,
      remedy: `kubectl label node ${names.length === 1 ? names[0] : 'NODE'} ${label}`,
    }
  const fitting = labelled.filter(node => fitsAffinity(node, affinity))
  if (fitting.length === 0)
    return {
      release,
      what: `${workload} wants a node where ${affinity.map(termText).join(', or ')}; ${namesOf(labelled)} ${labelled.length === 1 ? 'is' : 'are'} not such a node`,
      remedy: `Label one as it wants (kubectl label node), or take its affinity out of openstack.values.${release}.pod.`,
    }
  const [{ key, value = '', effect } = { key: '', effect: '' }] = fitting.flatMap(node =>
    keptOff(node, group),
  )
  if (key === CORDONED.key)
    return {
      release,
      what: `${workload} is only for ${namesOf(fitting)}, and ${fitting.length === 1 ? 'that node is' : 'those nodes are'} cordoned`,
      remedy: `kubectl uncordon ${fitting.map(({ metadata }) => metadata.name).join(' ')}`,
    }
  const taint = `${key}${value === '' ? '' : `=${value}`}:${effect}`
  return {
    release,
    what: `${workload} does not tolerate the taint ${taint} of ${namesOf(fitting)}, and no other node is for it`,
    remedy: `kubectl taint node ${fitting[0]?.metadata.name} ${taint}-`,
  }
}

function namesOf(nodes: readonly Node[]): string {
  return nodes.map(({ metadata }) => metadata.name).join(', ')
}

function missingDevices(groups: readonly PodGroup[], nodes: readonly Node[]): PreflightProblem[] {
  return groups.flatMap(group =>
    Object.entries(group.devices).flatMap(([device, wanted]) => {
      const hosts = nodesFor(group, nodes)
      // A node that has not reported yet may have them.
      const has = ({ status }: Node) =>
        status?.allocatable === undefined || quantity(status.allocatable[device]) >= wanted
      if (hosts.some(has)) return []
      const { release, workload } = group
      return [
        {
          release,
          what: `${workload} asks for ${wanted} ${device}, which ${namesOf(hosts)} ${hosts.length === 1 ? 'does' : 'do'} not offer`,
          remedy: `Install what offers it on the nodes, or ask for none: openstack.values.${release}.pod.resources.`,
        },
      ]
    }),
  )
}

function missingImages(
  groups: readonly PodGroup[],
  nodes: readonly Node[],
  registry: string,
): PreflightProblem[] {
  const problems = new Map<string, PreflightProblem>()
  for (const group of groups)
    for (const image of group.images.filter(name => name.startsWith(`${registry}/`)))
      for (const node of nodesFor(group, nodes)) {
        const reported = node.status?.images ?? []
        // A new node has reported none yet, and no node reports more than the biggest.
        if (reported.length === 0 || reported.length >= reportedImages) continue
        if (reported.some(({ names = [] }) => names.includes(image))) continue
        problems.set(`${image} ${node.metadata.name}`, {
          release: group.release,
          what: `${group.workload} wants the image ${image}, which node ${node.metadata.name} does not have`,
          remedy: `${registry} is not a registry: images of that name come with the node's own. Correct images.tags, or build the images again and boot the machine: pilotlight images`,
        })
      }
  return [...problems.values()]
}

/**
 * Puts the pods on the nodes, the biggest first, each where most memory is left; reports what does not fit, once a
 * resource. The scheduler may do it otherwise, but not much better.
 */
function tooLittle(
  groups: readonly PodGroup[],
  nodes: readonly Node[],
  used: ReadonlyMap<string, Requests>,
): PreflightProblem[] {
  const left = new Map(
    nodes.map(node => [node.metadata.name, minus(allocatable(node), used.get(node.metadata.name))]),
  )
  const pods = groups
    .filter(({ lasts }) => lasts)
    .flatMap(group => {
      const hosts = nodesFor(group, nodes).map(({ metadata }) => metadata.name)
      if (group.count === 'each node') return hosts.map(host => ({ group, hosts: [host] }))
      return Array.from({ length: group.count }, () => ({ group, hosts }))
    })
    .toSorted(
      (a, b) =>
        a.hosts.length - b.hosts.length || b.group.requests.memoryBytes - a.group.requests.memoryBytes,
    )
  const problems = new Map<string, PreflightProblem>()
  for (const { group, hosts } of pods) {
    const room = (host: string) => left.get(host) ?? none
    const [best = ''] = hosts.toSorted((a, b) => room(b).memoryBytes - room(a).memoryBytes)
    const fits = hosts.find(host => isEnough(room(host), group.requests))
    if (fits === undefined) {
      const lacks = room(best).memoryBytes < group.requests.memoryBytes ? 'memory' : 'cpu'
      if (!problems.has(lacks)) problems.set(lacks, lackOf(lacks, group, best, { nodes, used, pods }))
    }
    const host = fits ?? best
    left.set(host, minus(room(host), group.requests))
  }
  return [...problems.values()]
}

function lackOf(
  lacks: 'memory' | 'cpu',
  { release, workload }: PodGroup,
  host: string,
  around: {
    nodes: readonly Node[]
    used: ReadonlyMap<string, Requests>
    pods: readonly { group: PodGroup; hosts: readonly string[] }[]
  },
): PreflightProblem {
  const node = around.nodes.find(({ metadata }) => metadata.name === host)
  const has = node === undefined ? none : allocatable(node)
  const others = around.used.get(host) ?? none
  const asked = around.pods
    .filter(({ hosts }) => hosts.includes(host))
    .reduce((sum, { group }) => plus(sum, group.requests), none)
  const show = ({ memoryBytes, milliCpu }: Requests) =>
    lacks === 'memory' ? `${Math.ceil(memoryBytes / 2 ** 20)} MiB` : `${milliCpu}m`
  return {
    release,
    what: `${workload} finds too little ${lacks} on ${host}: the plan's pods ask for ${show(asked)} there, others for ${show(others)}, and it has ${show(has)}`,
    remedy:
      lacks === 'memory'
        ? 'Give the machine more memory, add a machine of that role, or ask for less: pod.resources of the releases.'
        : 'Give the machine more processors, add a machine of that role, or ask for less: pod.resources of the releases.',
  }
}

/** What every container asks for, or the biggest of those that run before. */
function requestsOf(containers: readonly Values[], first: readonly Values[]): Requests {
  const together = containers.map(asked).reduce(plus, none)
  return first.map(asked).reduce(
    (most, it) => ({
      memoryBytes: Math.max(most.memoryBytes, it.memoryBytes),
      milliCpu: Math.max(most.milliCpu, it.milliCpu),
    }),
    together,
  )
}

/** What the pods of a list ask for together: for those that are there already. */
export function requestsOfPods(specs: readonly Values[]): Requests {
  return specs
    .map(spec => requestsOf(mapsIn(spec['containers']), mapsIn(spec['initContainers'])))
    .reduce(plus, none)
}

function asked(container: Values): Requests {
  const { memory, cpu } = mapAt(container, 'resources', 'requests')
  return { memoryBytes: quantity(memory), milliCpu: quantity(cpu) * 1000 }
}

/** A quantity of Kubernetes as a number: `1.5Gi`, `200m`, `2`. Nothing is 0. */
export function quantity(written: unknown): number {
  const text = typeof written === 'number' ? String(written) : typeof written === 'string' ? written : ''
  const [, number = '0', unit = ''] = /^([\d.]+)([a-zA-Z]*)$/.exec(text) ?? []
  const powers = ['', 'K', 'M', 'G', 'T', 'P']
  if (unit === 'm') return Number(number) / 1000
  if (unit.endsWith('i')) return Number(number) * 1024 ** powers.indexOf(unit.slice(0, -1))
  return Number(number) * 1000 ** Math.max(0, powers.indexOf(unit.toUpperCase()))
}

const none: Requests = { memoryBytes: 0, milliCpu: 0 }

function plus(a: Requests, b: Requests): Requests {
  return { memoryBytes: a.memoryBytes + b.memoryBytes, milliCpu: a.milliCpu + b.milliCpu }
}

function minus(a: Requests, b: Requests = none): Requests {
  return { memoryBytes: a.memoryBytes - b.memoryBytes, milliCpu: a.milliCpu - b.milliCpu }
}

function isEnough(room: Requests, wanted: Requests): boolean {
  return room.memoryBytes >= wanted.memoryBytes && room.milliCpu >= wanted.milliCpu
}

/** A node that has not reported yet is assumed to be big enough. */
function allocatable({ status }: Node): Requests {
  if (status?.allocatable === undefined) return { memoryBytes: Infinity, milliCpu: Infinity }
  const { memory, cpu } = status.allocatable
  return { memoryBytes: quantity(memory), milliCpu: quantity(cpu) * 1000 }
}

/** What containers ask for beside memory and processors, as far as a node must offer it to run them. */
function devicesOf(containers: readonly Values[]): Record<string, number> {
  const asked = containers.flatMap(container =>
    ['limits', 'requests'].flatMap(kind => Object.entries(mapAt(container, 'resources', kind))),
  )
  const devices = asked.filter(([name]) => name.includes('/') || name.startsWith('hugepages-'))
  const most = new Map<string, number>()
  for (const [name, value] of devices) most.set(name, Math.max(most.get(name) ?? 0, quantity(value)))
  return Object.fromEntries([...most].filter(([, count]) => count > 0))
}

/** The nodes that the scheduler may give these pods, by labels, affinity and taints. */
export function nodesFor(group: PodGroup, nodes: readonly Node[]): Node[] {
  return nodes.filter(
    node =>
      hasLabels(node, group.nodeSelector) &&
      fitsAffinity(node, group.affinity) &&
      keptOff(node, group).length === 0,
  )
}

function hasLabels({ metadata }: Node, selector: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value)
}

/** Terms are alternatives; the expressions of one must all hold, and a term without any holds nowhere. */
function fitsAffinity(node: Node, terms: readonly Values[]): boolean {
  if (terms.length === 0) return true
  return terms.some(term => {
    const labels = mapsIn(term['matchExpressions'])
    const fields = mapsIn(term['matchFields'])
    return (
      labels.length + fields.length > 0 &&
      labels.every(it => holds(it, node.metadata.labels?.[String(it['key'])])) &&
      fields.every(it => holds(it, it['key'] === 'metadata.name' ? node.metadata.name : undefined))
    )
  })
}

/** One expression of a node affinity (the operators of NodeSelectorRequirement, core/v1). */
function holds({ operator, values }: Values, value: string | undefined): boolean {
  const list = Array.isArray(values) ? values.map(String) : []
  switch (operator) {
    case 'In':
      return value !== undefined && list.includes(value)
    case 'NotIn':
      return value === undefined || !list.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(list[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(list[0])
    default:
      return false
  }
}

function termText(term: Values): string {
  const all = [...mapsIn(term['matchExpressions']), ...mapsIn(term['matchFields'])]
  return all
    .map(({ key, operator, values }) =>
      [key, operator, ...(Array.isArray(values) ? [values.join(',')] : [])].map(String).join(' '),
    )
    .join(' and ')
}

/**
 * The taints of a node that keep these pods off it. Those that the cluster itself sets while a node comes up or is in trouble
 * are passed over: they pass. So is all that a daemon set's pods tolerate by themselves.
 */
function keptOff({ spec }: Node, { tolerations, count }: PodGroup): Taint[] {
  const passes = ({ key, effect }: Taint) =>
    key.startsWith('node.kubernetes.io/') ||
    key.startsWith('node.cloudprovider.') ||
    effect === 'PreferNoSchedule'
  const cordoned = spec?.unschedulable === true && count !== 'each node' ? [CORDONED] : []
  return [...(spec?.taints ?? []).filter(taint => !passes(taint)), ...cordoned].filter(
    taint => !tolerations.some(toleration => tolerates(toleration, taint)),
  )
}

/** What `kubectl cordon` puts on a node until someone takes it off; the pods of daemon sets tolerate it by themselves. */
const CORDONED: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

function tolerates({ key, operator, value, effect }: Values, taint: Taint): boolean {
  if (typeof effect === 'string' && effect !== '' && effect !== taint.effect) return false
  if (operator === 'Exists') return key === undefined || key === '' || key === taint.key
  return key === taint.key && (value ?? '') === (taint.value ?? '')
}
