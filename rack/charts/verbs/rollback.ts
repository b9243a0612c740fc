// Back to an earlier revision of one release. Its objects and values come back; what a newer version did to its database
// does not go.

import type { Stage } from '#progress/stage.ts'
import { messageOf } from '#progress/wait.ts'
import { ChartPlanError } from '../errors.ts'
import { dropPending, isPending, listReleases, listRevisions, type HelmRelease } from '../releases/records.ts'
import { rollback } from '../releases/helm.ts'
import { chosenOf } from '../plan/plan.ts'
import { ReleaseWatch } from '../gates/release-watch.ts'
import { keptSecrets } from '../secrets/secrets.ts'
import { clusterId, withSession, type SessionOptions } from '../session.ts'
import type { StepState } from '../store.ts'

/** What was brought back, and the revision that it has now. */
export type RollbackResult = { readonly release: string; readonly to: number; readonly revision: number }

/**
 * Brings a revision of a release back, the one before the last by default, and waits until its promises are kept. The
 * next `apply` installs what the plan says again.
 *
 * @throws {ChartPlanError} when there is no such release or revision
 * @throws {PromiseBroken} when it does not come up
 */
export async function rollbackRelease(
  options: SessionOptions & { readonly stage: Stage },
  name: string,
  wanted?: number,
): Promise<RollbackResult> {
  const [release] = chosenOf(options.plan, [name]).releases
  if (release === undefined) throw new ChartPlanError(`The plan has no release "${name}".`) // chosenOf threw
  return withSession(options, [name], async session => {
    const { api, helm, plan, store } = session
    const { stage } = options
    const secrets = await keptSecrets(session.stateDirectory)
    const cluster = await clusterId(api)
    const revisions = (await listRevisions(api, plan.namespace)).filter(it => it.name === name)
    const to = chooseRevision(name, revisions, wanted)
    for (const pending of revisions.filter(isPending)) await dropPending(api, plan.namespace, pending)
    const note = (phase: StepState, more: { revision?: number; cause?: string } = {}) =>
      store.addStep({ at: Date.now(), release: name, phase, cluster, hash: `rollback to ${to}`, ...more })
    note('applying')
    stage.waiting(`helm rollback to revision ${to}`)
    await rollback(name, to, helm)
    const revision = (await listReleases(api, plan.namespace)).get(name)?.revision ?? 0
    note('gated', { revision })
    const watch = new ReleaseWatch(session, secrets)
    try {
      await watch.untilKept(release, stage)
    } catch (error) {
      note('failed', { cause: messageOf(error) })
      throw error
    } finally {
      watch.close()
    }
    note('done', { revision })
    return { release: name, to, revision }
  })
}

/** The revision that was asked for, or the newest sound one before the last. */
export function chooseRevision(
  name: string,
  revisions: readonly HelmRelease[],
  wanted: number | undefined,
): number {
  const sound = revisions
    .filter(({ status }) => status === 'superseded' || status === 'deployed')
    .map(({ revision }) => revision)
    .toSorted((a, b) => b - a)
  const choice = wanted ?? sound[1]
  if (choice !== undefined && sound.includes(choice)) return choice
  if (sound.length === 0)
    throw new ChartPlanError(`Release ${name} is not installed: there is nothing to bring back.`)
  const missing = wanted === undefined ? 'earlier revision' : `revision ${wanted}`
  throw new ChartPlanError(`Release ${name} has no ${missing} to go back to. It has: ${sound.join(' ')}.`)
}
