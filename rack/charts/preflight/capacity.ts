// Whether the pods of a plan find a place on the nodes: labels, images, memory and processor, judged before anything is
// installed, as the scheduler and the kubelet would judge it later and one by one. Pure.

import { isRecord } from '#model/record.ts'
import { type Values } from '../values/values.ts'

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
  readonly images: readonly string[]
  readonly requests: Requests
}

/** Resources that a pod requests, or that a node offers. */
export type Requests = { readonly memoryBytes: number; readonly milliCpu: number }

/** A node as the API shows it; only what is read. */
export type Node = {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly status?: {
    readonly allocatable?: { readonly memory?: string; readonly cpu?: string }
    readonly images?: readonly { readonly names?: readonly string[] }[]
  }
}

/** One reason why a plan cannot run, for a person. */
export type PlacementProblem = { readonly release: string; readonly what: string; readonly remedy: string }

/** The kubelet reports no more images than this (its `nodeStatusMaxImages`). */
const reportedImages = 50

/** The pods that rendered objects would make. */
export function podGroupsOf(release: string, objects: readonly Values[]): PodGroup[] {
  return objects.flatMap(object => {
    const pod = mapAt(object, 'spec', 'template', 'spec')
    if (!Array.isArray(pod['containers'])) return []
    const { kind } = object
    const replicas = mapAt(object, 'spec')['replicas']
    const containers = mapsIn(pod['containers'])
    const first = mapsIn(pod['initContainers'])
    return [
      {
        release,
        workload: `${String(kind)} ${String(mapAt(object, 'metadata')['name'])}`,
        count: kind === 'DaemonSet' ? 'each node' : typeof replicas === 'number' ? replicas : 1,
        lasts: kind !== 'Job',
        nodeSelector: mapAt(pod, 'nodeSelector') as Record<string, string>,
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
): PlacementProblem[] {
  const homeless = groups.filter(group => nodesFor(group, nodes).length === 0)
  const rest = groups.filter(group => !homeless.includes(group))
  return [
    ...homeless.map(group => missingLabel(group, nodes)),
    ...missingImages(rest, nodes, registry),
    ...tooLittle(rest, nodes, used),
  ]
}

function missingLabel(
  { release, workload, nodeSelector }: PodGroup,
  nodes: readonly Node[],
): PlacementProblem {
  const label = Object.entries(nodeSelector)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')
  const names = nodes.map(({ metadata }) => metadata.name)
  return {
    release,
    what: `${workload} wants a node labelled ${label}; ${names.length === 0 ? 'there is no node' : `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} not`}`,
    remedy: `kubectl label node ${names.length === 1 ? names[0] : 'NODE'} ${label}`,
  }
}

function missingImages(
  groups: readonly PodGroup[],
  nodes: readonly Node[],
  registry: string,
): PlacementProblem[] {
  const problems = new Map<string, PlacementProblem>()
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
): PlacementProblem[] {
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
  const problems = new Map<string, PlacementProblem>()
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
): PlacementProblem {
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

function nodesFor({ nodeSelector }: PodGroup, nodes: readonly Node[]): Node[] {
  const wanted = Object.entries(nodeSelector)
  return nodes.filter(({ metadata }) => wanted.every(([key, value]) => metadata.labels?.[key] === value))
}

function mapAt(value: Values, ...path: readonly string[]): Values {
  return path.reduce<Values>((map, key) => (isRecord(map[key]) ? map[key] : {}), value)
}

function mapsIn(list: unknown): Values[] {
  return Array.isArray(list) ? list.filter(isRecord) : []
}
