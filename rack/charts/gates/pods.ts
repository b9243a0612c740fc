// What keeps a pod from being ready, judged from what the Kubernetes API shows: nothing, something that will pass (and
// why), or something that waiting will not mend. Pure.

import type { Condition, ContainerStatus, Pod, Workload } from '../kubernetes/snapshot.ts'

/** The container whose log tells more, and whether the one before its restart does. */
export type Suspect = { readonly pod: string; readonly container?: string; readonly previous: boolean }

/** How a promise stands. */
export type Verdict =
  | { readonly state: 'kept' }
  | { readonly state: 'waiting'; readonly reason: string; readonly suspect?: Suspect }
  | { readonly state: 'broken'; readonly reason: string; readonly remedy: string; readonly suspect?: Suspect }

/** Seconds that a pod may be unschedulable: nodes get their labels while the charts are already there. */
export const unschedulableGraceSeconds = 30
/** Seconds that a container may fail to be made: a Secret or ConfigMap may come a moment later. */
const createGraceSeconds = 20
/** A container that has ended badly this often and is held back again is not waited for. */
const hopelessRestarts = 2
/** The same for one that the runtime could not start: runc gives up freezing a new cgroup (v1) where the machine is busy. */
const hopelessStarts = 5
/** What the runtime says of a command that no further start will find. */
const absentCommand = /executable file not found|no such file or directory|permission denied/

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
      remedy: remedyOfUnschedulable(pod, reason),
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
        remedy:
          'The image is not on the node and cannot be fetched. Build the images again, or correct images.tags.',
      }
    case 'CrashLoopBackOff': {
      const end = status.lastState?.terminated
      const restarts = status.restartCount ?? 0
      const said = `pod ${pod}: ${status.name} ends again and again (${restarts} restarts, last with ${end?.reason ?? 'status'} ${end?.exitCode ?? '?'})`
      if (restarts < hopelessRestarts || (end?.reason === 'StartError' && mayStart(end.message, restarts)))
        return { state: 'waiting', reason: said, suspect: suspect(true) }
      return {
        state: 'broken',
        reason: said,
        remedy: 'The lines above say why. Mend the values or the image and run again.',
        suspect: suspect(true),
      }
    }
    case 'CreateContainerConfigError':
    case 'CreateContainerError':
    case 'RunContainerError':
      if (
        podSeconds < createGraceSeconds ||
        (reason === 'RunContainerError' && mayStart(message, status.restartCount))
      )
        return { state: 'waiting', reason: what }
      return {
        state: 'broken',
        reason: what,
        remedy: 'The container cannot be made as the chart says: see the message.',
      }
    case 'ErrImagePull':
      return { state: 'waiting', reason: what }
    default:
      return undefined
  }
}

/** Whether a container that the runtime could not start may start a little later, by what the runtime said. */
function mayStart(said = '', restarts = 0): boolean {
  return restarts < hopelessStarts && !absentCommand.test(said)
}

/** The verdict that a person should see first: broken before waiting; nothing when no pod tells anything. */
export function worstPod(pods: readonly Pod[], now: number): Verdict | undefined {
  const verdicts = pods.filter(pod => !pod.metadata.deletionTimestamp).map(pod => judgePod(pod, now))
  return verdicts.find(({ state }) => state === 'broken') ?? verdicts.find(({ state }) => state === 'waiting')
}

/** Whether a stateful set is about to replace this pod anyway: what ails it is not the new template's fault. */
export function isOutdated(pod: Pod, { status }: Workload): boolean {
  const revision = pod.metadata.labels?.['controller-revision-hash']
  return revision !== undefined && status?.updateRevision !== undefined && revision !== status.updateRevision
}

export function conditionOf(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find(it => it.type === type)
}

/** Seconds from a time that the cluster wrote until `now`; 0 when it wrote none. */
export function secondsSince(time: string | undefined, now: number): number {
  return time === undefined ? 0 : (now - Date.parse(time)) / 1000
}

function remedyOfUnschedulable({ spec }: Pod, reason: string): string {
  if (/Insufficient/.test(reason))
    return 'Give the machines more of what is named, or ask for less: pod.resources of the release.'
  const labels = Object.entries(spec?.nodeSelector ?? {}).map(([key, value]) => `${key}=${value}`)
  return labels.length === 0
    ? 'See which nodes are ready: kubectl get nodes.'
    : `Label a node for it: kubectl label node NODE ${labels.join(' ')}`
}
