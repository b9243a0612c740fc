// What keeps a pod from being ready: nothing, something that will pass (and why), or something that waiting will not fix.
// Pure: judged from what the API shows.

import type { Condition, ContainerStatus, Pod, Workload } from './objects.ts'
import { broken, ready, waiting, worstOf, type NotReady, type Readiness } from './readiness.ts'

/** Seconds that a pod may be unschedulable: nodes get their labels while the charts are already applied. */
export const unschedulableGraceSeconds = 30
/** Seconds in which creating a container may fail: a Secret or ConfigMap may be made a little later. */
const createGraceSeconds = 20
/** A container that has ended with an error this often and is held back again is not waited for. */
const hopelessRestarts = 2
/** The same for one that the runtime could not start: runc gives up freezing a new cgroup (v1) where the machine is busy. */
const hopelessStarts = 5
/** What the runtime says of a command that no further start will find. */
const absentCommand = /executable file not found|no such file or directory|permission denied/

/**
 * Whether one pod is ready, or has done its work. `now` is in milliseconds since 1970, and is compared with the times
 * that the cluster wrote.
 */
export function judgePod(pod: Pod, now: number): Readiness {
  const name = pod.metadata.name
  const scheduled = conditionOf(pod.status?.conditions, 'PodScheduled')
  if (scheduled?.status === 'False') {
    const reason = `pod ${name} has no node: ${scheduled.message ?? scheduled.reason ?? ''}`
    const seconds = secondsSince(scheduled.lastTransitionTime ?? pod.metadata.creationTimestamp, now)
    if (seconds < unschedulableGraceSeconds) return waiting(reason)
    return broken(reason, remedyOfUnschedulable(pod, reason))
  }
  const seconds = secondsSince(scheduled?.lastTransitionTime ?? pod.metadata.creationTimestamp, now)
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  for (const status of statuses) {
    const trouble = troubleOf(name, status, seconds)
    if (trouble) return trouble
  }
  const unready = pod.status?.containerStatuses?.find(it => !it.ready && it.state?.running)
  if (unready) {
    const suspect = { pod: name, container: unready.name, previous: false }
    return waiting(`pod ${name}: ${unready.name} runs and is not ready`, suspect)
  }
  const isDone =
    pod.status?.phase === 'Succeeded' || conditionOf(pod.status?.conditions, 'Ready')?.status === 'True'
  return isDone
    ? ready(`pod ${name} is ready`)
    : waiting(`pod ${name} is being made`, { pod: name, previous: false })
}

/** The first trouble among pods that are to stay, what is broken before what will pass; nothing when there is none. */
export function worstPod(pods: readonly Pod[], now: number): NotReady | undefined {
  return worstOf(pods.filter(pod => !pod.metadata.deletionTimestamp).map(pod => judgePod(pod, now)))
}

/** Whether a StatefulSet is about to replace this pod anyway: its trouble is not the new template's fault. */
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

function troubleOf(pod: string, status: ContainerStatus, podSeconds: number): NotReady | undefined {
  const { reason = '', message = '' } = status.state?.waiting ?? {}
  const what = `pod ${pod}: ${status.name}: ${reason}${message ? `: ${message}` : ''}`
  switch (reason) {
    case 'ImagePullBackOff':
    case 'ErrImageNeverPull':
    case 'InvalidImageName':
      return broken(
        what,
        'The image is not on the node and cannot be fetched. Build the images again, or correct images.tags.',
      )
    case 'CrashLoopBackOff': {
      const end = status.lastState?.terminated
      const restarts = status.restartCount ?? 0
      const said = `pod ${pod}: ${status.name} ends again and again (${restarts} restarts, last with ${end?.reason ?? 'status'} ${end?.exitCode ?? '?'})`
      const suspect = { pod, container: status.name, previous: true }
      if (restarts < hopelessRestarts || (end?.reason === 'StartError' && mayStart(end.message, restarts)))
        return waiting(said, suspect)
      return broken(said, 'The lines above say why. Fix the values or the image and run again.', suspect)
    }
    case 'CreateContainerConfigError':
    case 'CreateContainerError':
    case 'RunContainerError':
      if (
        podSeconds < createGraceSeconds ||
        (reason === 'RunContainerError' && mayStart(message, status.restartCount))
      )
        return waiting(what)
      return broken(what, 'The container cannot be made as the chart says: see the message.')
    case 'ErrImagePull':
      return waiting(what)
    default:
      return undefined
  }
}

/** Whether a container that the runtime could not start may start a little later, by what the runtime said. */
function mayStart(said = '', restarts = 0): boolean {
  return restarts < hopelessStarts && !absentCommand.test(said)
}

function remedyOfUnschedulable({ spec }: Pod, reason: string): string {
  if (/Insufficient/.test(reason))
    return 'Give the machines more of what is named, or ask for less: pod.resources of the release.'
  const labels = Object.entries(spec?.nodeSelector ?? {}).map(([key, value]) => `${key}=${value}`)
  return labels.length === 0
    ? 'See which nodes are ready: kubectl get nodes.'
    : `Label a node for it: kubectl label node NODE ${labels.join(' ')}`
}
