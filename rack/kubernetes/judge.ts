// Whether Kubernetes objects are there yet: Deployments, StatefulSets, DaemonSets, Jobs and nodes (pods: judge-pod.ts).
// One rule each, the same for the bring-up and for the charts. Pure: judged from what the API shows.
//
// A status only counts when it is about the newest specification (`observedGeneration`), and only pods of the newest
// version count, so that a change does not count as done because the pods before it are well.

import { conditionOf, isOutdated, secondsSince, unschedulableGraceSeconds, worstPod } from './judge-pod.ts'
import type { Daemonset, Job, Labels, Node, Pod, Workload } from './objects.ts'
import { broken, ready, waiting, type Readiness } from './readiness.ts'

/**
 * What is seen beside an object: pods, among which the reason is looked for (none where they were not read), and the time,
 * in milliseconds since 1970, which is compared with the times that the cluster wrote.
 */
export type Beside = { readonly pods: readonly Pod[]; readonly now: number }

/** Whether every replica of the newest version of a Deployment is available, and no older one is left. */
export function judgeDeployment(name: string, seen: Workload | undefined, beside: Beside): Readiness {
  return judgeWorkload('deployment', name, seen, beside)
}

/** The same of a StatefulSet. */
export function judgeStatefulset(name: string, seen: Workload | undefined, beside: Beside): Readiness {
  return judgeWorkload('statefulset', name, seen, beside)
}

function judgeWorkload(
  kind: 'deployment' | 'statefulset',
  name: string,
  seen: Workload | undefined,
  { pods, now }: Beside,
): Readiness {
  if (seen === undefined) return waiting(`${kind} ${name} is not there yet`)
  if (!isObserved(seen)) return waiting(`the change of ${kind} ${name} is not taken up yet`)
  const wanted = seen.spec?.replicas ?? 1
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = seen.status ?? {}
  const outdated = Math.max(0, replicas - updatedReplicas) // available ones count as these first
  const available = Math.min(updatedReplicas, Math.max(0, availableReplicas - outdated))
  if (available >= wanted && replicas <= wanted) return ready(`${name} ${wanted} of ${wanted} available`)
  const own = podsWith(seen.spec?.selector?.matchLabels ?? {}, pods)
  const trouble = worstPod(
    own.filter(pod => !isOutdated(pod, seen)),
    now,
  )
  return trouble ?? waiting(`${kind} ${name} has ${Math.min(available, wanted)} of ${wanted} available`)
}

/**
 * Whether the newest version of a DaemonSet is available on every node that it is for, and on at least so many.
 */
export function judgeDaemonset(
  name: string,
  seen: Daemonset | undefined,
  { pods, now }: Beside,
  atLeast = 1,
): Readiness {
  if (seen === undefined) return waiting(`daemonset ${name} is not there yet`)
  if (!isObserved(seen)) return waiting(`the change of daemonset ${name} is not taken up yet`)
  const { desiredNumberScheduled = 0, updatedNumberScheduled = 0, numberAvailable = 0 } = seen.status ?? {}
  if (desiredNumberScheduled === 0) return withoutNode(name, seen, now)
  const wanted = Math.max(desiredNumberScheduled, atLeast)
  const available = Math.min(updatedNumberScheduled, numberAvailable)
  if (available >= wanted) return ready(`${name} ${wanted} of ${wanted} available`)
  const trouble = worstPod(podsWith(seen.spec?.selector?.matchLabels ?? {}, pods), now)
  return trouble ?? waiting(`daemonset ${name} has ${available} of ${wanted} available`)
}

function withoutNode(name: string, { metadata, spec }: Daemonset, now: number): Readiness {
  const labels = Object.entries(spec?.template?.spec?.nodeSelector ?? {}).map(pair => pair.join('='))
  const reason = `daemonset ${name} has no node: none is labelled ${labels.join(' and ')}`
  if (secondsSince(metadata.creationTimestamp, now) < unschedulableGraceSeconds) return waiting(reason)
  return broken(reason, `Label a node for it: kubectl label node NODE ${labels.join(' ')}`)
}

/**
 * Whether Jobs are complete, all of `jobs` that are not being deleted; `title` names them together while there is none.
 */
export function judgeJobs(title: string, jobs: readonly Job[], { pods, now }: Beside): Readiness {
  const lasting = jobs.filter(({ metadata }) => !metadata.deletionTimestamp)
  if (lasting.length === 0) return waiting(`job ${title} is not there yet`)
  for (const job of lasting) {
    const { name } = job.metadata
    const own = podsWith({ 'batch.kubernetes.io/job-name': name }, pods)
    const failed = conditionOf(job.status?.conditions, 'Failed')
    if (failed?.status === 'True') {
      const [pod] = own.slice(-1)
      return broken(
        `job ${name} gave up: ${failed.reason ?? ''} ${failed.message ?? ''}`.trimEnd(),
        `Delete the job once the cause is fixed, and run again: kubectl -n NAMESPACE delete job ${name}`,
        pod && { pod: pod.metadata.name, ...failingContainer(pod), previous: false },
      )
    }
    if (conditionOf(job.status?.conditions, 'Complete')?.status === 'True') continue
    return worstPod(own, now) ?? waiting(`job ${name} runs`)
  }
  return ready(`job ${title} is complete`)
}

/** Whether the node `name` is registered and its kubelet reports it Ready. */
export function judgeNode(name: string, node: Node | undefined): Readiness {
  if (node === undefined) return waiting(`${name}: not registered`)
  const condition = conditionOf(node.status?.conditions, 'Ready')
  if (condition?.status === 'True') return ready(`${name} Ready`)
  return waiting(`${name}: ${reasonOfNotReady(condition?.message)}`)
}

/** Whether the nodes of all `names` are Ready; if not, how many are, and what keeps the others. */
export function judgeNodes(names: readonly string[], nodes: readonly Node[]): Readiness {
  const each = names.map(name =>
    judgeNode(
      name,
      nodes.find(({ metadata }) => metadata.name === name),
    ),
  )
  const reasons = each.flatMap(it => (it.state === 'ready' ? [] : [it.reason]))
  const counted = `${names.length - reasons.length} of ${names.length} nodes Ready`
  return reasons.length === 0 ? ready(counted) : waiting([counted, ...reasons].join('; '))
}

/** Whether `has` carries all labels of `wanted`. */
export function hasLabels(has: Labels | undefined, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => has?.[key] === value)
}

function isObserved({ metadata, status }: Workload | Daemonset): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 1)
}

function podsWith(labels: Labels, pods: readonly Pod[]): Pod[] {
  return pods.filter(pod => hasLabels(pod.metadata.labels, labels))
}

function failingContainer(pod: Pod): { container?: string } {
  const failing = pod.status?.containerStatuses?.find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0)
  return failing ? { container: failing.name } : {}
}

function reasonOfNotReady(message: string | undefined): string {
  if (message === undefined) return 'has not reported yet'
  if (/cni|network plugin/i.test(message)) return 'CNI not ready'
  return message.length > 120 ? `${message.slice(0, 117)}...` : message
}
