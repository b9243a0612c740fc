// Whether a release keeps its promises, judged from what the APIs show: kept, not yet (and why, by the name of the pod
// and of what it lacks), or broken, where waiting longer would not help. Pure.

import type { Promised } from '../plan/plan.ts'
import {
  conditionOf,
  isOutdated,
  secondsSince,
  unschedulableGraceSeconds,
  worstPod,
  type Verdict,
} from './pods.ts'
import type { Job, Labels, Meta, Pod, Snapshot } from '../kubernetes/snapshot.ts'

/** Promises about Kubernetes objects. */
export type ObjectPromise = Extract<Promised, { kind: 'deployment' | 'statefulset' | 'daemonset' | 'job' }>

/**
 * Judges a promise about Kubernetes objects of `release`. `now` is in milliseconds since 1970, and is held against
 * the times that the cluster wrote.
 */
export function judge(promised: ObjectPromise, release: string, seen: Snapshot, now: number): Verdict {
  switch (promised.kind) {
    case 'job':
      return judgeJob(promised.name, promised.component, release, seen, now)
    case 'daemonset':
      return judgeDaemonset(promised.name, seen, now)
    default:
      return judgeWorkload(promised.kind, promised.name, seen, now)
  }
}

/** An agent of Neutron, as its API lists it. */
export type Agent = { readonly binary: string; readonly host: string; readonly alive: boolean }

/** Judges whether agents of all `binaries` are alive on all `hosts`. */
export function judgeAgents(
  { binaries, hosts }: Extract<Promised, { kind: 'agents' }>,
  agents: readonly Agent[],
): Verdict {
  const missing = binaries.flatMap(binary =>
    hosts.flatMap(host => {
      const agent = agents.find(it => it.binary === binary && it.host === host)
      if (agent?.alive) return []
      return `${binary} ${agent === undefined ? 'has not reported' : 'is not alive'} on ${host}`
    }),
  )
  return missing.length === 0 ? { state: 'kept' } : { state: 'waiting', reason: missing.join(', ') }
}

/** A compute host as Nova's API lists it; it does so for those that are mapped to a cell. */
export type Hypervisor = { readonly host: string; readonly state: string; readonly status: string }

/** Judges whether all `hosts` are mapped, up and enabled. */
export function judgeHypervisors(
  { hosts }: Extract<Promised, { kind: 'hypervisors' }>,
  hypervisors: readonly Hypervisor[],
): Verdict {
  const missing = hosts.flatMap(host => {
    const found = hypervisors.find(it => it.host === host)
    if (found === undefined) return `compute host ${host} is not mapped to a cell yet`
    return found.state === 'up' && found.status === 'enabled'
      ? []
      : `compute host ${host} is ${found.state} and ${found.status}`
  })
  return missing.length === 0 ? { state: 'kept' } : { state: 'waiting', reason: missing.join(', ') }
}

function judgeDaemonset(name: string, seen: Snapshot, now: number): Verdict {
  const found = seen.daemonsets.find(it => it.metadata.name === name)
  if (found === undefined) return { state: 'waiting', reason: `daemonset ${name} is not there yet` }
  const { metadata, spec, status = {} } = found
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 1))
    return { state: 'waiting', reason: `the change of daemonset ${name} is not taken up yet` }
  const { desiredNumberScheduled: wanted = 0, updatedNumberScheduled = 0, numberReady = 0 } = status
  if (wanted === 0) return withoutNode(name, spec?.template?.spec?.nodeSelector ?? {}, metadata, now)
  if (updatedNumberScheduled >= wanted && numberReady >= wanted) return { state: 'kept' }
  const worst = worstPod(podsWith(spec?.selector?.matchLabels ?? {}, seen.pods), now)
  return worst ?? { state: 'waiting', reason: `daemonset ${name} has ${numberReady} of ${wanted} ready` }
}

function withoutNode(name: string, selector: Labels, { creationTimestamp }: Meta, now: number): Verdict {
  const labels = Object.entries(selector).map(([key, value]) => `${key}=${value}`)
  const reason = `daemonset ${name} has no node: none is labelled ${labels.join(' and ')}`
  if (secondsSince(creationTimestamp, now) < unschedulableGraceSeconds) return { state: 'waiting', reason }
  return {
    state: 'broken',
    reason,
    remedy: `Label a node for it: kubectl label node NODE ${labels.join(' ')}`,
  }
}

function judgeWorkload(
  kind: 'deployment' | 'statefulset',
  name: string,
  seen: Snapshot,
  now: number,
): Verdict {
  const list = kind === 'deployment' ? seen.deployments : seen.statefulsets
  const workload = list.find(it => it.metadata.name === name)
  if (workload === undefined) return { state: 'waiting', reason: `${kind} ${name} is not there yet` }
  const wanted = workload.spec?.replicas ?? 1
  const {
    observedGeneration = 0,
    updatedReplicas = 0,
    readyReplicas = 0,
    replicas = 0,
  } = workload.status ?? {}
  if (observedGeneration < (workload.metadata.generation ?? 1))
    return { state: 'waiting', reason: `the change of ${kind} ${name} is not taken up yet` }
  if (updatedReplicas >= wanted && readyReplicas >= wanted && replicas <= wanted) return { state: 'kept' }
  const pods = podsWith(workload.spec?.selector?.matchLabels ?? {}, seen.pods)
  const worst = worstPod(
    pods.filter(pod => !isOutdated(pod, workload)),
    now,
  )
  return worst ?? { state: 'waiting', reason: `${kind} ${name} has ${readyReplicas} of ${wanted} ready` }
}

function judgeJob(name: string, component: string, release: string, seen: Snapshot, now: number): Verdict {
  const labels = { 'app.kubernetes.io/instance': release, 'app.kubernetes.io/component': component }
  const jobs = seen.jobs.filter(
    job => hasLabels(job.metadata.labels, labels) && !job.metadata.deletionTimestamp,
  )
  if (jobs.length === 0) return { state: 'waiting', reason: `job ${name} is not there yet` }
  for (const job of jobs) {
    const failed = conditionOf(job.status?.conditions, 'Failed')
    if (failed?.status === 'True') {
      const [pod] = podsOfJob(job, seen.pods).slice(-1)
      return {
        state: 'broken',
        reason: `job ${job.metadata.name} gave up: ${failed.reason ?? ''} ${failed.message ?? ''}`.trimEnd(),
        remedy: `Delete the job once the cause is mended, and run again: kubectl -n NAMESPACE delete job ${job.metadata.name}`,
        ...(pod ? { suspect: { pod: pod.metadata.name, ...failingContainer(pod), previous: false } } : {}),
      }
    }
    if (conditionOf(job.status?.conditions, 'Complete')?.status === 'True') continue
    const worst = worstPod(podsOfJob(job, seen.pods), now)
    return worst ?? { state: 'waiting', reason: `job ${job.metadata.name} runs` }
  }
  return { state: 'kept' }
}

function podsWith(labels: Labels, pods: readonly Pod[]): Pod[] {
  return pods.filter(pod => hasLabels(pod.metadata.labels, labels))
}

function podsOfJob(job: Job, pods: readonly Pod[]): Pod[] {
  return podsWith({ 'batch.kubernetes.io/job-name': job.metadata.name }, pods)
}

function hasLabels(has: Labels | undefined, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => has?.[key] === value)
}

function failingContainer(pod: Pod): { container?: string } {
  const failing = pod.status?.containerStatuses?.find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0)
  return failing ? { container: failing.name } : {}
}
