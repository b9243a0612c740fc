// Waiting until a release keeps its promises: with a limit, with the reason shown, and not a second longer once waiting
// cannot help any more.

import type { Stage } from '#progress/stage.ts'
import { waitUntil } from '#progress/wait.ts'
import { PromiseBroken } from '../errors.ts'
import type { NamespaceView } from '../../kubernetes/namespace-view.ts'
import type { ReleasePlan } from '../plan/plan.ts'
import type { NotReady } from '../../kubernetes/readiness.ts'
import type { PromiseWatch } from './promises.ts'
import { redact, type Secrets } from '../secrets/secrets.ts'

/** How long a promise must look broken before it counts as that, in milliseconds. */
const brokenMs = 3000

/** What waiting for a release needs. */
type Awaiting = {
  readonly promises: PromiseWatch
  readonly view: NamespaceView
  /** Secret texts: reasons never show them. */
  readonly secrets: Secrets
  readonly stage: Stage
  readonly signal?: AbortSignal
}

/**
 * Resolves when every promise of `release` is kept.
 *
 * @throws {PromiseBroken} with cause, remedy and the last lines of the container that is to blame
 * @throws {WaitedTooLong} after the release's limit, with the reason seen last
 */
export async function awaitRelease(release: ReleasePlan, awaiting: Awaiting): Promise<void> {
  const { promises, view, secrets, stage, signal } = awaiting
  const limits = { limitSeconds: release.limitSeconds, everyMs: 150, ...(signal ? { signal } : {}) }
  let brokenSince: number | undefined
  const broken = await waitUntil(`release ${release.name}`, limits, async () => {
    const readiness = await promises.look(release)
    if (readiness.state === 'ready') return { value: undefined }
    if (readiness.state === 'broken') {
      // A pod of the version before may be on its way out: what is broken must stay so.
      brokenSince ??= performance.now()
      if (performance.now() - brokenSince > brokenMs) return { value: readiness }
    } else brokenSince = undefined
    const reason = redact(await reasonOf(readiness, view), secrets)
    stage.waiting(reason, release.limitSeconds)
    return { not: reason }
  })
  if (broken === undefined) return
  const words = broken.suspect === undefined ? '' : await view.lastWords(broken.suspect)
  const reason = `${broken.reason}${words && `\n  ${words.replaceAll('\n', '\n  ')}`}`
  throw new PromiseBroken(release.name, reason, broken.remedy)
}

async function reasonOf({ reason, suspect }: NotReady, view: NamespaceView): Promise<string> {
  const hint = suspect === undefined ? '' : await view.hint(suspect)
  return hint === '' ? reason : `${reason}; ${hint}`
}
