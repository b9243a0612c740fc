// The present state of a site's releases: by Helm, by our record of steps, and by one look at each promise.

import { listReleases } from '../releases/records.ts'
import type { ReleasePlan } from '../plan/plan.ts'
import { judgePod } from '../../kubernetes/judge-pod.ts'
import { ReleaseWatch } from '../gates/release-watch.ts'
import { keptSecrets, redact } from '../secrets/secrets.ts'
import { withSession, type ChartSession, type SessionOptions } from '../session.ts'
import type { Pod } from '../../kubernetes/objects.ts'
import type { Snapshot } from '../../kubernetes/namespace-view.ts'
import type { StepRecord } from '../store.ts'

/** One release. */
export type ReleaseStatus = {
  readonly name: string
  /** `absent` when it is not installed, else whether its promises are kept. */
  readonly state: 'absent' | 'kept' | 'waiting' | 'broken'
  /** Why promises are not kept, and the fix when waiting does not help. */
  readonly reason?: string
  readonly remedy?: string
  readonly revision?: number
  /** Helm's status of the revision, for example `deployed`. */
  readonly helm?: string
  readonly pods: readonly PodStatus[]
  /** The last step that was taken with it from this state directory. */
  readonly lastStep?: StepRecord
}

/** A pod of a release. */
export type PodStatus = {
  readonly name: string
  readonly node?: string
  readonly ready: boolean
  readonly restarts: number
  readonly reason?: string
}

/** Looks at every release of the plan, once and without waiting. */
export async function readStatus(options: SessionOptions): Promise<ReleaseStatus[]> {
  return withSession(options, [], async session => {
    const { api, plan } = session
    const secrets = await keptSecrets(session.stateDirectory)
    const watch = new ReleaseWatch(session, secrets)
    try {
      const [releases, seen] = await Promise.all([listReleases(api, plan.namespace), watch.view.look()])
      const statusOf = async (release: ReleasePlan): Promise<ReleaseStatus> => {
        const helm = releases.get(release.name)
        const common = commonOf(session, release.name, seen)
        if (helm === undefined) return { ...common, state: 'absent' }
        const readiness = await watch.look(release)
        const { reason, remedy } = { reason: undefined, remedy: undefined, ...readiness }
        return {
          ...common,
          state: readiness.state === 'ready' ? 'kept' : readiness.state,
          revision: helm.revision,
          helm: helm.status,
          ...(reason === undefined ? {} : { reason: redact(reason, secrets) }),
          ...(remedy === undefined ? {} : { remedy }),
        }
      }
      return await Promise.all(plan.releases.map(statusOf))
    } finally {
      watch.close()
    }
  })
}

function commonOf({ store }: ChartSession, name: string, { pods }: Snapshot) {
  const own = pods.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/instance'] === name)
  const lastStep = store.lastStep(name)
  return { name, pods: own.map(podStatus), ...(lastStep === undefined ? {} : { lastStep }) }
}

function podStatus(pod: Pod): PodStatus {
  const readiness = judgePod(pod, Date.now())
  const { nodeName } = pod.spec ?? {}
  const restarts = (pod.status?.containerStatuses ?? []).map(({ restartCount = 0 }) => restartCount)
  return {
    name: pod.metadata.name,
    ready: readiness.state === 'ready',
    restarts: restarts.reduce((sum, count) => sum + count, 0),
    ...(nodeName === undefined ? {} : { node: nodeName }),
    ...(readiness.state === 'ready' ? {} : { reason: readiness.reason }),
  }
}
