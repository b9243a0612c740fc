// What pods of openstack-helm wait for before they start, as the variables of their first containers say to
// kubernetes-entrypoint: services, jobs, daemon sets and pods. A wait that nothing ends lasts until the release's limit. Pure.

import type { PreflightProblem } from '../errors.ts'
import type { ChartPlan } from '../plan/plan.ts'
import { mapAt, type Values } from '../values/values.ts'
import { nodesFor, podGroupsOf, type Node } from './capacity.ts'
import {
  containersOf,
  isSelected,
  labelsIn,
  labelText,
  mapsIn,
  nameOf,
  podTemplateOf,
  titleOf,
  type ReleaseObjects,
} from './rendered.ts'

/** One thing that a pod waits for, in a namespace: by its name, or by labels. */
type Wait = {
  readonly kind: 'Service' | 'Job' | 'DaemonSet' | 'Pod'
  readonly namespace: string
  readonly name?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly isOnSameNode?: boolean
}

/** What is in the cluster beside the plan: of these kinds, in all namespaces. */
export type Present = readonly {
  readonly kind: Wait['kind']
  readonly namespace: string
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
}[]

/** The cluster, where there is one: what is in it, and its nodes. */
export type Around = { readonly present: Present; readonly nodes: readonly Node[] }

/**
 * The waits that do not end: for what neither a release of the plan makes nor the cluster has; for what only a release makes that
 * is installed later; for a Service without pods; and for a pod on the same node that never runs there. Without a cluster waits
 * for other namespaces and for pods on a node are not looked at.
 */
export function checkWaits(
  plan: Pick<ChartPlan, 'namespace' | 'releases'>,
  rendered: readonly ReleaseObjects[],
  around?: Around,
): PreflightProblem[] {
  const earlier = earlierReleases(plan)
  return rendered.flatMap(({ release, objects }) =>
    objects.flatMap(object => {
      const causes = waitsOf(object, plan.namespace).flatMap(wait => {
        const judge = new WaitJudge(
          wait,
          plan.namespace,
          rendered,
          earlier.get(release) ?? new Set([release]),
        )
        const cause = judge.causeOf({ release, object, ...(around === undefined ? {} : { around }) })
        return cause === undefined ? [] : [`${titleOf(object)} waits for ${named(wait)}, ${cause}`]
      })
      return [...new Set(causes)].map(what => ({ release, what, remedy: remedyFor(release) }))
    }),
  )
}

/** For each release those whose objects are there when its own pods start: itself, its group, and all that go before. */
function earlierReleases({ releases }: Pick<ChartPlan, 'releases'>): Map<string, ReadonlySet<string>> {
  const byName = new Map(releases.map(it => [it.name, it]))
  const follow = (name: string, found: Set<string>): Set<string> => {
    const release = byName.get(name)
    if (release === undefined || found.has(name)) return found
    found.add(name)
    const group = release.group === undefined ? [] : releases.filter(it => it.group === release.group)
    for (const next of [...release.needs, ...release.after, ...group.map(it => it.name)]) follow(next, found)
    return found
  }
  return new Map(releases.map(({ name }) => [name, follow(name, new Set())]))
}

/** Judges one wait of one release. */
class WaitJudge {
  readonly #wait: Wait
  readonly #namespace: string
  readonly #rendered: readonly ReleaseObjects[]
  readonly #earlier: ReadonlySet<string>

  constructor(
    wait: Wait,
    namespace: string,
    rendered: readonly ReleaseObjects[],
    earlier: ReadonlySet<string>,
  ) {
    this.#wait = wait
    this.#namespace = namespace
    this.#rendered = rendered
    this.#earlier = earlier
  }

  /** Why the wait does not end, or nothing. */
  causeOf({
    release,
    object,
    around,
  }: {
    release: string
    object: Values
    around?: Around
  }): string | undefined {
    const isHere = this.#wait.namespace === this.#namespace
    const makers = isHere ? this.#rendered.filter(it => it.objects.some(one => isMeant(this.#wait, one))) : []
    const inTime = makers.filter(it => this.#earlier.has(it.release))
    if (inTime.length > 0)
      return (
        this.#withoutEndpoint(inTime) ??
        (around === undefined ? undefined : this.#onNoNode(release, object, around.nodes))
      )
    if (around?.present.some(it => isPresent(this.#wait, it))) return undefined
    if (makers.length > 0) return `which release ${makers[0]?.release} makes, and that is installed after it`
    if (!isHere)
      return around === undefined ? undefined : `which is not in the namespace ${this.#wait.namespace}`
    return around === undefined
      ? 'which no release of the plan makes'
      : 'which neither a release of the plan makes nor the cluster has'
  }

  /** A Service that selects no pod has no endpoint, and so is never ready. One without a selector gets them by other means. */
  #withoutEndpoint(makers: readonly ReleaseObjects[]): string | undefined {
    if (this.#wait.kind !== 'Service') return undefined
    const services = makers.flatMap(({ objects }) => objects.filter(object => isMeant(this.#wait, object)))
    const selectors = services.map(service => labelsIn(mapAt(service, 'spec', 'selector')))
    if (selectors.some(selector => Object.keys(selector).length === 0)) return undefined
    const pods = this.#rendered.flatMap(({ objects }) =>
      objects.flatMap(object => podTemplateOf(object) ?? []),
    )
    if (selectors.some(selector => pods.some(({ labels }) => isSelected(labels, selector)))) return undefined
    return `which selects pods with ${labelText(selectors[0] ?? {})}: no release of the plan makes one`
  }

  /** The nodes where the waiting pod runs, and the one it waits for on the same node does not. */
  #onNoNode(release: string, object: Values, nodes: readonly Node[]): string | undefined {
    if (this.#wait.isOnSameNode !== true) return undefined
    const there = this.#rendered.flatMap(it =>
      it.objects.filter(one => isMeant(this.#wait, one)).flatMap(one => podGroupsOf(it.release, [one])),
    )
    const hosts = new Set(there.flatMap(group => nodesFor(group, nodes)).map(({ metadata }) => metadata.name))
    const own = podGroupsOf(release, [object]).flatMap(group => nodesFor(group, nodes))
    const without = own.map(({ metadata }) => metadata.name).filter(name => !hosts.has(name))
    if (without.length === 0) return undefined
    return `on its own node: ${there.map(({ workload }) => workload).join(', ')} does not run on ${without.join(', ')}`
  }
}

/** Whether a rendered object is what a wait is for. */
function isMeant(wait: Wait, object: Values): boolean {
  if (wait.kind !== 'Pod' && object['kind'] !== wait.kind) return false
  if (wait.name !== undefined) return nameOf(object) === wait.name
  const labels =
    wait.kind === 'Pod' ? podTemplateOf(object)?.labels : labelsIn(mapAt(object, 'metadata', 'labels'))
  return labels !== undefined && isSelected(labels, wait.labels ?? {})
}

function isPresent(wait: Wait, { kind, namespace, name, labels = {} }: Present[number]): boolean {
  if (kind !== wait.kind || namespace !== wait.namespace) return false
  return wait.name === undefined ? isSelected(labels, wait.labels ?? {}) : name === wait.name
}

function named({ kind, name, labels = {} }: Wait): string {
  return name === undefined ? `a ${kind} labelled ${labelText(labels)}` : `${kind} ${name}`
}

function remedyFor(release: string): string {
  const values = `openstack.values.${release}`
  return `Make what it waits for before; or change ${values}: labels decide where pods run, manifests what is made, dependencies what is waited for.`
}

/** The kinds of what these objects' pods wait for. */
export function kindsWaitedFor(namespace: string, rendered: readonly ReleaseObjects[]): ReadonlySet<string> {
  const all = rendered.flatMap(({ objects }) => objects.flatMap(object => waitsOf(object, namespace)))
  return new Set(all.map(({ kind }) => kind))
}

/** What the pods of an object wait for. */
function waitsOf(object: Values, namespace: string): Wait[] {
  const pod = podTemplateOf(object)
  if (pod === undefined) return []
  return containersOf(pod.spec).flatMap(container =>
    variablesOf(container).flatMap(([name, text]) => readWait(name, text, namespace)),
  )
}

function variablesOf(container: Values): [name: string, text: string][] {
  return mapsIn(container['env']).flatMap(({ name, value }) =>
    typeof name === 'string' && typeof value === 'string' && value !== '' ? [[name, value]] : [],
  )
}

/** One variable: lists of `NAME` or `NAMESPACE:NAME` with commas between, or JSON. What cannot be read waits for nothing here. */
function readWait(variable: string, text: string, namespace: string): Wait[] {
  switch (variable) {
    case 'DEPENDENCY_SERVICE':
      return readNames('Service', text, namespace)
    case 'DEPENDENCY_JOBS':
      return readNames('Job', text, namespace)
    case 'DEPENDENCY_DAEMONSET':
      return readNames('DaemonSet', text, namespace)
    case 'DEPENDENCY_POD_JSON':
      return readJson('Pod', text, namespace)
    case 'DEPENDENCY_JOBS_JSON':
      return readJson('Job', text, namespace)
    default:
      return []
  }
}

function readNames(kind: 'Service' | 'Job' | 'DaemonSet', text: string, namespace: string): Wait[] {
  return text
    .split(',')
    .map(word => word.trim())
    .filter(word => word !== '')
    .map(word => {
      const [first = '', ...rest] = word.split(':')
      return rest.length === 0
        ? { kind, namespace, name: first }
        : { kind, namespace: first, name: rest.join(':') }
    })
}

function readJson(kind: 'Job' | 'Pod', text: string, namespace: string): Wait[] {
  return mapsIn(parsed(text)).map(it => ({
    kind,
    namespace: textOr(it['namespace'], namespace),
    ...(typeof it['name'] === 'string' && it['name'] !== ''
      ? { name: it['name'] }
      : { labels: labelsIn(mapAt(it, 'labels')) }),
    isOnSameNode: it['requireSameNode'] === true,
  }))
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise
}
