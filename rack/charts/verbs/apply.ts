// Makes a chart plan true. Every release whose pods wait by themselves is installed at once, as soon as the API
// answers: sandboxes, imports and first starts then overlap with what they wait for, and on two busy cores that is
// what the time goes into. Only the gates follow the needs, so what is shown and what fails keeps the plan's order.

import { hash } from 'node:crypto'
import { kinds, type Manifest } from '../../kubernetes/objects.ts'
import { Seats } from '#host/seats.ts'
import type { Stage } from '#progress/stage.ts'
import { messageOf, sleep, waitUntil } from '#progress/wait.ts'
import { ChartPlanError, ChartsFailed, PreflightFailed } from '../errors.ts'
import { runGraph, type Step } from '../plan/graph.ts'
import { changedJobs, describeRefused, refusedChanges } from '../releases/manifests.ts'
import { dropPending, isPending, listReleases, readRecord, type HelmRelease } from '../releases/records.ts'
import { isPassing, renderChart, upgradeInstall } from '../releases/helm.ts'
import { isApplied, type StepState } from '../store.ts'
import { namespaceObject } from '../namespace.ts'
import { chosenOf, groupOf, valuesOf, type ChartPlan, type ReleasePlan } from '../plan/plan.ts'
import { checkCluster, renderPlan, type RenderedPlan } from '../preflight/preflight.ts'
import { ReleaseWatch } from '../gates/release-watch.ts'
import { withSecretTexts } from '../secrets/secret-values.ts'
import { ensureSecrets, redact, textsOf, type Secrets } from '../secrets/secrets.ts'
import { clusterId, withSession, type ChartSession, type SessionOptions } from '../session.ts'
import { withSecretVersions } from '../secrets/versions.ts'
import { stillThere } from './diff.ts'
import type { Values } from '../values/values.ts'

/** How many helms run side by side. More would all be slower, and the database's no earlier than the dashboard's. */
const helmsAtOnce = 2

/** How often helm is called for a release while it loses its connection to the API. */
const helmAttempts = 4

/** The options of the chart stage. */
export type ChartOptions = SessionOptions & {
  readonly stage: Stage
  /** Only these releases, whatever else the plan has; what they need is taken to be there. */
  readonly only?: readonly string[]
  /** The plan's pods, where they were rendered before. */
  readonly rendered?: RenderedPlan
}

/** How the start of a release ended. */
export type ReleaseResult = {
  readonly name: string
  readonly revision: number
  /** False when it was there already, as wanted. */
  readonly applied: boolean
  /** Seconds from the start of the stage until all of its promises were kept. */
  readonly seconds: number
}

/** What a finished stage reports. */
export type ChartsResult = {
  readonly namespace: string
  readonly releases: readonly ReleaseResult[]
}

/**
 * Installs the plan's releases and waits until each keeps its promises. It may be run again after anything: what is
 * as wanted is only checked.
 *
 * @throws {PreflightFailed} with what would keep it from coming up, before anything is installed
 * @throws {ChartsFailed} with the cause of each release that did not come up
 * @throws {ChartsLocked} while another run uses the state directory
 */
export async function applyCharts(options: ChartOptions): Promise<ChartsResult> {
  const plan = options.only === undefined ? options.plan : chosenOf(options.plan, options.only)
  const names = plan.releases.map(({ name }) => name)
  return withSession({ ...options, plan }, names, async session => {
    const rendered = options.rendered ?? (await renderPlan(session))
    const run = new ChartRun(session, options.stage, await prepare(session, rendered, options.stage))
    try {
      return await run.run()
    } finally {
      run.close()
    }
  })
}

type ReleaseStep = Step & { readonly act: 'apply' | 'gate'; readonly release: ReleasePlan }

/** How far one release is on its way to kept promises. */
type Progress = { stage: Stage; hash: string; revision: number; applied: boolean; seconds: number }

/** What is known before the first release is touched. */
type Prepared = {
  /** With the versions of its secrets. */
  readonly plan: ChartPlan
  readonly secrets: Secrets
  readonly cluster: string
  /** What Helm has already done there. */
  readonly deployed: ReadonlyMap<string, HelmRelease>
}

/**
 * Makes the namespace and the secrets, and looks whether the cluster can carry the plan.
 *
 * @throws {PreflightFailed} when it cannot
 */
async function prepare(session: ChartSession, rendered: RenderedPlan, stage: Stage): Promise<Prepared> {
  const { plan, api, stateDirectory, signal } = session
  const kept = await ensureSecrets(plan.secrets, stateDirectory)
  const secrets = textsOf(kept)
  // Around a pivot the API may drop a connection: all of this may be asked again.
  const limits = { limitSeconds: 60, stage, ...(signal ? { signal } : {}) }
  const found = await waitUntil('the Kubernetes API takes namespace and secrets', limits, async () => {
    await api.apply(namespaceObject(plan.namespace))
    const [cluster, deployed, problems] = await Promise.all([
      clusterId(api),
      listReleases(api, plan.namespace),
      // Our own charts are tested against the API; those of others are asked about.
      checkCluster(session, rendered, { asksServer: session.site.openstack.charts !== undefined }),
      ...plan.secrets
        .filter(({ isOnlyInValues }) => isOnlyInValues !== true)
        .map(({ name }) => api.apply(secretObject(name, plan.namespace, secrets[name] ?? {}))),
    ])
    return { value: { cluster, deployed, problems } }
  })
  const { cluster, deployed, problems } = found
  if (problems.length > 0) throw new PreflightFailed(problems)
  return { plan: await withSecretVersions(session, kept), secrets, cluster, deployed }
}

class ChartRun {
  readonly #session: ChartSession
  readonly #stage: Stage
  readonly #prepared: Prepared
  readonly #watch: ReleaseWatch
  readonly #progress = new Map<string, Progress>()
  readonly #began = performance.now()
  readonly #helms = new Seats(helmsAtOnce)

  constructor(session: ChartSession, stage: Stage, prepared: Prepared) {
    this.#session = session
    this.#stage = stage
    this.#prepared = prepared
    this.#watch = new ReleaseWatch(session, prepared.secrets)
  }

  close(): void {
    this.#watch.close()
  }

  async run(): Promise<ChartsResult> {
    const { plan } = this.#prepared
    for (const { name } of plan.releases)
      this.#progress.set(name, {
        stage: this.#stage.child(name),
        hash: '',
        revision: 0,
        applied: false,
        seconds: 0,
      })
    const steps = stepsOf(plan)
    const { states, errors } = await runGraph(steps, step => this.#do(step))
    const causes = steps.filter(({ id }) => errors.has(id))
    if (causes.length > 0) {
      this.#session.signal?.throwIfAborted()
      const blocked = plan.releases.filter(({ name }) => states.get(`gate ${name}`) === 'blocked')
      const failed = new Set(causes.map(({ release }) => release.name))
      const only = blocked.map(({ name }) => name).filter(name => !failed.has(name))
      for (const name of only) this.#of(name).stage.skipped('not awaited: what it needs failed')
      throw new ChartsFailed(
        causes.map(({ id, release }) => ({ release: release.name, message: messageOf(errors.get(id)) })),
        only,
      )
    }
    const releases = plan.releases.map(({ name }) => {
      const { revision, applied, seconds } = this.#of(name)
      return { name, revision, applied, seconds }
    })
    return { namespace: plan.namespace, releases }
  }

  async #do({ act, release }: ReleaseStep): Promise<void> {
    const progress = this.#of(release.name)
    try {
      if (act === 'apply') await this.#helms.use(() => this.#apply(release, progress))
      else await this.#gate(release, progress)
    } catch (error) {
      const redacted = new Error(redact(messageOf(error), this.#prepared.secrets), { cause: error })
      this.#write(release.name, 'failed', redacted.message)
      progress.stage.failed(redacted)
      throw redacted
    }
  }

  async #apply(release: ReleasePlan, progress: Progress): Promise<void> {
    const { plan, api, signal } = this.#session
    const chart = await this.#session.unpack(release)
    const values = withSecretTexts(valuesOf(release), this.#prepared.secrets)
    progress.hash = hashOf(chart.hash, JSON.stringify(values))
    const deployed = this.#prepared.deployed.get(release.name)
    const wanted = { cluster: this.#prepared.cluster, hash: progress.hash }
    const sound = deployed?.status === 'deployed' ? deployed.revision : undefined
    if (isApplied(this.#session.store.lastStep(release.name), wanted, sound)) {
      progress.revision = sound ?? 0
      progress.stage.waiting('installed already; looking at its promises')
      return
    }
    this.#write(release.name, 'planned')
    await this.#dropPending(release.name, deployed, progress.stage)
    if (sound !== undefined) await this.#makeWay(release, sound, chart.path, values, progress.stage)
    this.#write(release.name, 'applying')
    for (let attempt = 1; ; attempt += 1) {
      progress.stage.waiting('helm upgrade --install', 120)
      try {
        const { limitSeconds } = release
        progress.revision = await upgradeInstall(
          release.name,
          chart.path,
          values,
          this.#session.helm,
          limitSeconds,
        )
        break
      } catch (error) {
        if (!isPassing(error) || attempt === helmAttempts) throw error
        progress.stage.waiting(`helm lost the API, trying again (${attempt + 1} of ${helmAttempts})`)
        await sleep(1000, signal)
        const releases = await listReleases(api, plan.namespace)
        await this.#dropPending(release.name, releases.get(release.name), progress.stage)
      }
    }
    progress.applied = true
    this.#write(release.name, 'gated')
    const open = release.needs.filter(need => this.#of(need).seconds === 0)
    progress.stage.waiting(open.length > 0 ? `installed; needs ${open.join(', ')}` : 'installed')
  }

  async #dropPending(name: string, release: HelmRelease | undefined, stage: Stage): Promise<void> {
    if (release === undefined || !isPending(release)) return
    stage.waiting(`a killed helm left ${name} ${release.status}: dropping that attempt`)
    await dropPending(this.#session.api, this.#session.plan.namespace, release)
  }

  /**
   * Deletes the jobs of revision `revision` that these values would change, and waits until they are gone.
   *
   * @throws {ChartPlanError} for what else Kubernetes would refuse to change; nothing was deleted then
   */
  async #makeWay(
    { name }: ReleasePlan,
    revision: number,
    path: string,
    values: Values,
    stage: Stage,
  ): Promise<void> {
    const { api, plan, helm, signal } = this.#session
    const record = await readRecord(api, plan.namespace, { name, revision })
    if (record === undefined) return
    const after = await renderChart(name, path, values, helm)
    const refused = await stillThere(api, refusedChanges(record.manifest, after, plan.namespace))
    if (refused.length > 0)
      throw new ChartPlanError(`release ${name}: ${refused.map(describeRefused).join('\n')}`)
    const jobs = changedJobs(record.manifest, after)
    for (const job of jobs) {
      const key = { ...kinds.job, namespace: plan.namespace, name: job }
      await api.remove(key, { withDependents: true })
      const limits = { limitSeconds: 60, stage, ...(signal ? { signal } : {}) }
      await waitUntil(`job ${job}, which this upgrade makes anew, is gone`, limits, async () =>
        (await api.read(key)) === undefined ? { value: true } : { not: 'it is still there' },
      )
    }
  }

  async #gate(release: ReleasePlan, progress: Progress): Promise<void> {
    await this.#watch.untilKept(release, progress.stage)
    progress.seconds = this.#seconds()
    const last = this.#session.store.lastStep(release.name)
    if (last?.phase !== 'done' || last.hash !== progress.hash) this.#write(release.name, 'done')
    progress.stage.done(progress.applied ? `revision ${progress.revision}` : 'was there already')
  }

  #of(release: string): Progress {
    const progress = this.#progress.get(release)
    if (progress === undefined) throw new Error(`no progress is kept for ${release}`) // run() made one for each
    return progress
  }

  #write(release: string, phase: StepState, cause?: string): void {
    const { hash, revision } = this.#of(release)
    this.#session.store.addStep({
      at: Date.now(),
      release,
      phase,
      cluster: this.#prepared.cluster,
      hash,
      ...(revision > 0 ? { revision } : {}),
      ...(cause === undefined ? {} : { cause }),
    })
  }

  #seconds(): number {
    return (performance.now() - this.#began) / 1000
  }
}

/**
 * The plan as a graph: each release is applied, then gated. Members of a group wait for what all members outside of it want,
 * and none of their gates opens before all are installed.
 */
export function stepsOf(plan: ChartPlan): ReleaseStep[] {
  return plan.releases.flatMap(release => {
    const group = groupOf(release, plan.releases)
    const names = group.map(({ name }) => name)
    const gatesOf = (wanted: readonly string[]) =>
      [...new Set(wanted)].filter(name => !names.includes(name)).map(name => `gate ${name}`)
    const gates = gatesOf(group.flatMap(it => it.needs))
    return [
      {
        id: `apply ${release.name}`,
        act: 'apply' as const,
        release,
        needs: gatesOf(group.flatMap(it => it.after)),
      },
      {
        id: `gate ${release.name}`,
        act: 'gate' as const,
        release,
        needs: [...names.map(name => `apply ${name}`), ...gates],
      },
    ]
  })
}

/** A Secret as the API takes it; its data is ours alone, so a key that goes here goes there. */
function secretObject(name: string, namespace: string, entries: Readonly<Record<string, string>>): Manifest {
  const data = Object.entries(entries).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
  return {
    ...kinds.secret,
    metadata: { name, namespace, labels: { 'app.kubernetes.io/managed-by': 'pilotlight' } },
    data: Object.fromEntries(data),
  }
}

function hashOf(...texts: readonly string[]): string {
  return hash('sha256', texts.join('\0')).slice(0, 16)
}
