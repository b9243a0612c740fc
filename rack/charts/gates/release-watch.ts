// The releases of a plan under watch: the namespace, what they promise in it, and waiting for that.

import type { Stage } from '#progress/stage.ts'
import { keystoneUrl } from '../../openstack/endpoints.ts'
import { NamespaceView } from '../../kubernetes/namespace-view.ts'
import type { ReleasePlan } from '../plan/plan.ts'
import { adminPasswordIn, type Secrets } from '../secrets/secrets.ts'
import type { ChartSession } from '../session.ts'
import { awaitRelease } from './await-release.ts'
import type { Readiness } from '../../kubernetes/readiness.ts'
import { PromiseWatch } from './promises.ts'

/** Watches the promises of releases. A verb opens it and closes it. */
export class ReleaseWatch {
  readonly view: NamespaceView
  readonly #promises: PromiseWatch
  readonly #secrets: Secrets
  readonly #signal: AbortSignal | undefined

  /** `secrets` are the site's: its cloud is asked with one of them, and no reason shows any. */
  constructor(
    { api, plan, site, signal }: Pick<ChartSession, 'api' | 'plan' | 'site' | 'signal'>,
    secrets: Secrets,
  ) {
    this.view = new NamespaceView(api, plan.namespace)
    this.#promises = new PromiseWatch(this.view, keystoneUrl(site), adminPasswordIn(secrets) ?? '')
    this.#secrets = secrets
    this.#signal = signal
  }

  /** The present state of a release's promises. */
  look(release: ReleasePlan): Promise<Readiness> {
    return this.#promises.look(release)
  }

  /** Resolves when every promise of `release` is kept; `stage` shows what is not yet. @throws as awaitRelease does */
  async untilKept(release: ReleasePlan, stage: Stage): Promise<void> {
    await awaitRelease(release, {
      promises: this.#promises,
      view: this.view,
      secrets: this.#secrets,
      stage,
      ...(this.#signal ? { signal: this.#signal } : {}),
    })
  }

  close(): void {
    this.view.close()
  }
}
