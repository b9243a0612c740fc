// Whether a release keeps its promises, judged from what the Kubernetes API shows: kept, not yet (and why, by the
// name of the pod and of what it lacks), or broken, where waiting longer would not help. Pure.

import type { Promised } from './plan.ts'

/** The objects of one namespace that gates look at, as the API lists them; only the fields that are read. */
export type Snapshot = {
  readonly pods: readonly Pod[]
  readonly deployments: readonly Workload[]
  readonly statefulsets: readonly Workload[]
  readonly jobs: readonly Job[]
}

type Meta = {
  readonly name: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
}

export type Workload = {
  readonly metadata: Meta
  readonly spec?: { readonly replicas?: number; readonly selector?: { readonly matchLabels?: Labels } }
  readonly status?: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly updatedReplicas?: number
    readonly readyReplicas?: number
    readonly updateRevision?: string
  }
}

export type Job = {
  readonly metadata: Meta
  readonly status?: { readonly conditions?: readonly Condition[]; readonly failed?: number }
}

export type Pod = {
  readonly metadata: Meta
  readonly status?: {
    readonly phase?: string
    readonly conditions?: readonly Condition[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

type Labels = Readonly<Record<string, string>>

type Condition = {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

type ContainerStatus = {
  readonly name: string
  readonly ready?: boolean
  readonly restartCount?: number
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly running?: { readonly startedAt?: string }
    readonly terminated?: { readonly exitCode?: number; readonly reason?: string }
  }
  readonly lastState?: { readonly terminated?: { readonly exitCode?: number; readonly reason?: string } }
}

/** The container whose log tells more, and whether the one before its restart does. */
export type Suspect = { readonly pod: string; readonly container?: string; readonly previous: boolean }

/** How a promise stands. */
export type Verdict =
  | { readonly state: 'kept' }
  | { readonly state: 'waiting'; readonly reason: string; readonly suspect?: Suspect }
  | { readonly state: 'broken'; readonly reason: string; readonly mend: string; readonly suspect?: Suspect }

/** Seconds that a pod may be unschedulable: nodes get their labels while the charts are already there. */
const unschedulableGraceSeconds = 30
/** Seconds that a container may fail to be made: a Secret or ConfigMap may come a moment later. */
const createGraceSeconds = 20
/** A container that has ended badly this often and is held back again is not waited for. */
const hopelessRestarts = 2

/**
 * Judges a promise about Kubernetes objects of `release`. `now` is in milliseconds since 1970, and is held against
 * the times that the cluster wrote.
 */
export function judge(
  promised: Extract<Promised, { kind: 'deployment' | 'statefulset' | 'job' }>,
  release: string,
  seen: Snapshot,
  now: number,
): Verdict {
  return promised.kind === 'job'
    ? judgeJob(promised.name, promised.component, release, seen, now)
    : judgeWorkload(promised.kind, promised.name, seen, now)
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
        mend: `Delete the job once the cause is mended, and run again: kubectl -n NAMESPACE delete job ${job.metadata.name}`,
        ...(pod ? { suspect: { pod: pod.metadata.name, ...failingContainer(pod), previous: false } } : {}),
      }
    }
    if (conditionOf(job.status?.conditions, 'Complete')?.status === 'True') continue
    const worst = worstPod(podsOfJob(job, seen.pods), now)
    return worst ?? { state: 'waiting', reason: `job ${job.metadata.name} runs` }
  }
  return { state: 'kept' }
}

/** What keeps one pod from being ready, if anything does. */
export function judgePod(pod: Pod, now: number): Verdict {
  const name = pod.metadata.name
  const unschedulable = conditionOf(pod.status?.conditions, 'PodScheduled')
  if (unschedulable?.status === 'False') {
    const reason = `pod ${name} has no node: ${unschedulable.message ?? unschedulable.reason ?? ''}`
    if (
      secondsSince(unschedulable.lastTransitionTime ?? pod.metadata.creationTimestamp, now) <
      unschedulableGraceSeconds
    )
      return { state: 'waiting', reason }
    return {
      state: 'broken',
      reason,
      mend: 'Label a node for it (kubectl label node NODE openstack-control-plane=enabled), or free what it asks for.',
    }
  }
  const made = conditionOf(pod.status?.conditions, 'PodScheduled')?.lastTransitionTime
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  for (const status of statuses) {
    const verdict = judgeContainer(name, status, secondsSince(made ?? pod.metadata.creationTimestamp, now))
    if (verdict) return verdict
  }
  const unready = pod.status?.containerStatuses?.find(({ ready, state }) => !ready && state?.running)
  if (unready)
    return {
      state: 'waiting',
      reason: `pod ${name}: ${unready.name} runs and is not ready`,
      suspect: { pod: name, container: unready.name, previous: false },
    }
  const done =
    pod.status?.phase === 'Succeeded' || conditionOf(pod.status?.conditions, 'Ready')?.status === 'True'
  return done
    ? { state: 'kept' }
    : { state: 'waiting', reason: `pod ${name} is being made`, suspect: { pod: name, previous: false } }
}

function judgeContainer(pod: string, status: ContainerStatus, podSeconds: number): Verdict | undefined {
  const { reason = '', message = '' } = status.state?.waiting ?? {}
  const what = `pod ${pod}: ${status.name}: ${reason}${message ? `: ${message}` : ''}`
  const suspect = (previous: boolean) => ({ pod, container: status.name, previous })
  switch (reason) {
    case 'ImagePullBackOff':
    case 'ErrImageNeverPull':
    case 'InvalidImageName':
      return {
        state: 'broken',
        reason: what,
        mend: 'The image is not on the node and cannot be fetched. Build the images again, or correct images.tags.',
      }
    case 'CrashLoopBackOff': {
      const end = status.lastState?.terminated
      const said = `pod ${pod}: ${status.name} ends again and again (${status.restartCount ?? 0} restarts, last with ${end?.reason ?? 'status'} ${end?.exitCode ?? '?'})`
      if ((status.restartCount ?? 0) < hopelessRestarts)
        return { state: 'waiting', reason: said, suspect: suspect(true) }
      return {
        state: 'broken',
        reason: said,
        mend: 'The lines above say why. Mend the values or the image and run again.',
        suspect: suspect(true),
      }
    }
    case 'CreateContainerConfigError':
    case 'CreateContainerError':
    case 'RunContainerError':
      if (podSeconds < createGraceSeconds) return { state: 'waiting', reason: what }
      return {
        state: 'broken',
        reason: what,
        mend: 'The container cannot be made as the chart says: see the message.',
      }
    case 'ErrImagePull':
      return { state: 'waiting', reason: what }
    default:
      return undefined
  }
}

/** The verdict that a person should see first: broken before waiting; nothing when no pod tells anything. */
function worstPod(pods: readonly Pod[], now: number): Verdict | undefined {
  const verdicts = pods.filter(pod => !pod.metadata.deletionTimestamp).map(pod => judgePod(pod, now))
  return verdicts.find(({ state }) => state === 'broken') ?? verdicts.find(({ state }) => state === 'waiting')
}

/** Whether a stateful set is about to replace this pod anyway: what ails it is not the new template's fault. */
function isOutdated(pod: Pod, { status }: Workload): boolean {
  const revision = pod.metadata.labels?.['controller-revision-hash']
  return revision !== undefined && status?.updateRevision !== undefined && revision !== status.updateRevision
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

function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find(it => it.type === type)
}

function secondsSince(time: string | undefined, now: number): number {
  return time === undefined ? 0 : (now - Date.parse(time)) / 1000
}
