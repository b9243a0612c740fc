// Makes a chart plan true. Every release whose pods wait by themselves is installed at once, as soon as the API
// answers: sandboxes, imports and first starts then overlap with what they wait for, and on two busy cores that is
// what the time goes into. Only the gates follow the needs, so what is shown and what fails keeps the plan's order.

import { createHash } from 'node:crypto'
import { access, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Stage } from '#progress/stage.ts'
import { messageOf, sleep, waitUntil } from '#progress/wait.ts'
import type { Site } from '#site/site.ts'
import { connectApi } from './api.ts'
import type { ApiObject, KubernetesApi } from './api.ts'
import { cloudAdmin, keystoneUrl } from './endpoints.ts'
import { ChartsFailed, PromiseBroken } from './errors.ts'
import { runGraph } from './graph.ts'
import type { Step } from './graph.ts'
import { dropPending, isPassing, isPending, listReleases, stageChart, upgradeInstall } from './helm.ts'
import type { HelmRelease } from './helm.ts'
import { isApplied, Journal } from './journal.ts'
import type { Phase } from './journal.ts'
import { lockCharts } from './lock.ts'
import { NamespaceView } from './observe.ts'
import { groupOf, valuesOf } from './plan.ts'
import type { ChartPlan, ReleasePlan } from './plan.ts'
import type { Verdict } from './pods.ts'
import { PromiseWatch } from './promises.ts'
import { ensureSecrets, redact } from './secrets.ts'
import type { Secrets } from './secrets.ts'

/** How often helm is called for a release while it loses its connection to the API. */
const helmAttempts = 4

/** How long a promise must look broken before it counts as that, in milliseconds. */
const brokenMs = 3000

/** What the chart stage is told. */
export type ChartOptions = {
  readonly site: Site
  readonly plan: ChartPlan
  readonly kubeconfigPath: string
  /** Where secrets, journal and values of this site are kept. */
  readonly stateDirectory: string
  /** Where helm lies; on the PATH unless told, or unless it is not there. */
  readonly toolsDirectory?: string
  readonly stage: Stage
  readonly signal?: AbortSignal
}

/** How a release came up. */
export type ReleaseResult = {
  readonly name: string
  readonly revision: number
  /** False when it was there already, as wanted. */
  readonly applied: boolean
  /** Seconds from the start of the stage until all of its promises were kept. */
  readonly seconds: number
}

/** What a finished stage tells. */
export type ChartsResult = {
  readonly namespace: string
  readonly releases: readonly ReleaseResult[]
  /** When Keystone gave a token, by `performance.now()` of this process; absent when the plan promises none. */
  readonly tokenAt?: number
}

/**
 * Installs the plan's releases and waits until each keeps its promises. It may be run again after anything: what is
 * as wanted is only looked at.
 *
 * @throws {ChartsFailed} with the cause of each release that did not come up
 * @throws {ChartsLocked} while another run uses the state directory
 */
export async function applyCharts(options: ChartOptions): Promise<ChartsResult> {
  await mkdir(options.stateDirectory, { recursive: true, mode: 0o700 })
  const unlock = await lockCharts(options.stateDirectory)
  let api: KubernetesApi | undefined
  let journal: Journal | undefined
  let run: ChartRun | undefined
  try {
    api = await connectApi(options.kubeconfigPath)
    journal = new Journal(options.stateDirectory)
    run = new ChartRun(options, api, journal)
    return await run.run()
  } finally {
    run?.close()
    journal?.close()
    api?.close()
    await unlock()
  }
}

type ReleaseStep = Step & { readonly act: 'apply' | 'gate'; readonly release: ReleasePlan }

/** A release's way from the plan to kept promises. */
type Progress = { stage: Stage; hash: string; revision: number; applied: boolean; seconds: number }

class ChartRun {
  readonly #options: ChartOptions
  readonly #api: KubernetesApi
  readonly #journal: Journal
  readonly #view: NamespaceView
  readonly #progress = new Map<string, Progress>()
  readonly #began = performance.now()
  #secrets: Secrets = {}
  #cluster = ''
  #helm = 'helm'
  #deployed: ReadonlyMap<string, HelmRelease> = new Map()
  #promises: PromiseWatch

  constructor(options: ChartOptions, api: KubernetesApi, journal: Journal) {
    this.#options = options
    this.#api = api
    this.#journal = journal
    this.#view = new NamespaceView(api, options.plan.namespace)
    this.#promises = new PromiseWatch(this.#view, keystoneUrl(options.site), '')
  }

  close(): void {
    this.#view.close()
  }

  async run(): Promise<ChartsResult> {
    const { plan, stage } = this.#options
    await this.#prepare()
    for (const { name } of plan.releases)
      this.#progress.set(name, {
        stage: stage.child(name),
        hash: '',
        revision: 0,
        applied: false,
        seconds: 0,
      })
    const steps = stepsOf(plan)
    const { states, errors } = await runGraph(steps, step => this.#do(step))
    const causes = steps.filter(({ id }) => errors.has(id))
    if (causes.length > 0) {
      this.#options.signal?.throwIfAborted()
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
    const { tokenAt } = this.#promises
    const token = tokenAt === undefined ? {} : { tokenAt }
    return { namespace: plan.namespace, releases, ...token }
  }

  /** Namespace, secrets, and what Helm has already done there. */
  async #prepare(): Promise<void> {
    const { plan, stage, stateDirectory, toolsDirectory } = this.#options
    this.#secrets = await ensureSecrets(plan.secrets, stateDirectory)
    const password = this.#secrets[cloudAdmin.secret]?.['password'] ?? ''
    this.#promises = new PromiseWatch(this.#view, keystoneUrl(this.#options.site), password)
    this.#helm = await helmIn(toolsDirectory)
    const namespace = `/api/v1/namespaces/${plan.namespace}`
    // Around a pivot the API may drop a connection: all of this may be asked again.
    await waitUntil('the Kubernetes API takes namespace and secrets', this.#wait(60, stage), async () => {
      const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: plan.namespace } }
      await this.#api.apply(namespace, object)
      const [system] = await Promise.all([
        this.#api.get<ApiObject>('/api/v1/namespaces/kube-system'),
        ...plan.secrets.map(({ name }) =>
          this.#api.apply(`${namespace}/secrets/${name}`, {
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { name, labels: { 'app.kubernetes.io/managed-by': 'pilotlight' } },
            stringData: this.#secrets[name],
          }),
        ),
      ])
      this.#cluster = system?.metadata.uid ?? ''
      this.#deployed = await listReleases(this.#api, plan.namespace)
      return { value: true }
    })
  }

  async #do({ act, release }: ReleaseStep): Promise<void> {
    const progress = this.#of(release.name)
    try {
      if (act === 'apply') await this.#apply(release, progress)
      else await this.#gate(release, progress)
    } catch (error) {
      const told = new Error(redact(messageOf(error), this.#secrets), { cause: error })
      this.#write(release.name, 'failed', told.message)
      progress.stage.failed(told)
      throw told
    }
  }

  async #apply(release: ReleasePlan, progress: Progress): Promise<void> {
    const { plan, stateDirectory, signal } = this.#options
    const chart = await stageChart(release.chart, join(stateDirectory, 'charts'))
    progress.hash = hashOf(chart.hash, JSON.stringify(valuesOf(release)))
    const deployed = this.#deployed.get(release.name)
    const wanted = { cluster: this.#cluster, hash: progress.hash }
    const sound = deployed?.status === 'deployed' ? deployed.revision : undefined
    if (isApplied(this.#journal.last(release.name), wanted, sound)) {
      progress.revision = sound ?? 0
      progress.stage.waiting('installed already; looking at its promises')
      return
    }
    this.#write(release.name, 'planned')
    await this.#dropPending(release.name, deployed, progress.stage)
    this.#write(release.name, 'applying')
    for (let attempt = 1; ; attempt += 1) {
      progress.stage.waiting('helm upgrade --install', 120)
      try {
        progress.revision = await this.#helmUpgrade(release, chart.path)
        break
      } catch (error) {
        if (!isPassing(error) || attempt === helmAttempts) throw error
        progress.stage.waiting(`helm lost the API, trying again (${attempt + 1} of ${helmAttempts})`)
        await sleep(1000, signal)
        const releases = await listReleases(this.#api, plan.namespace)
        await this.#dropPending(release.name, releases.get(release.name), progress.stage)
      }
    }
    progress.applied = true
    this.#write(release.name, 'gated')
    const open = release.needs.filter(need => this.#of(need).seconds === 0)
    progress.stage.waiting(open.length > 0 ? `installed; needs ${open.join(', ')}` : 'installed')
  }

  #helmUpgrade(release: ReleasePlan, chart: string): Promise<number> {
    const { kubeconfigPath, plan, stateDirectory, signal } = this.#options
    const values = join(stateDirectory, 'charts', `${release.name}.values.json`)
    return upgradeInstall(release.name, chart, valuesOf(release), values, {
      kubeconfigPath,
      namespace: plan.namespace,
      helm: this.#helm,
      ...(signal ? { signal } : {}),
    })
  }

  async #dropPending(name: string, release: HelmRelease | undefined, stage: Stage): Promise<void> {
    if (release === undefined || !isPending(release)) return
    stage.waiting(`a killed helm left ${name} ${release.status}: dropping that attempt`)
    await dropPending(this.#api, this.#options.plan.namespace, release)
  }

  async #gate(release: ReleasePlan, progress: Progress): Promise<void> {
    const { signal } = this.#options
    const tell = (reason: string) =>
      progress.stage.waiting(redact(reason, this.#secrets), release.limitSeconds)
    const limits = { limitSeconds: release.limitSeconds, everyMs: 150, ...(signal ? { signal } : {}) }
    let brokenSince: number | undefined
    const broken = await waitUntil(`release ${release.name}`, limits, async () => {
      const verdict = await this.#promises.look(release)
      if (verdict.state === 'kept') return { value: undefined }
      if (verdict.state === 'broken') {
        // A pod of the version before may be on its way out: what is broken must stay so.
        brokenSince ??= performance.now()
        if (performance.now() - brokenSince > brokenMs) return { value: verdict }
      } else brokenSince = undefined
      const reason = await this.#reasonOf(verdict)
      tell(reason)
      return { not: reason }
    })
    if (broken !== undefined) {
      const words = broken.suspect === undefined ? '' : await this.#view.lastWords(broken.suspect)
      const told = `${broken.reason}${words && `\n  ${words.replaceAll('\n', '\n  ')}`}`
      throw new PromiseBroken(release.name, told, broken.mend)
    }
    progress.seconds = this.#seconds()
    this.#write(release.name, 'done')
    progress.stage.done(progress.applied ? `revision ${progress.revision}` : 'was there already')
  }

  async #reasonOf({ reason, suspect }: Exclude<Verdict, { state: 'kept' }>): Promise<string> {
    const hint = suspect === undefined ? '' : await this.#view.hint(suspect)
    return hint === '' ? reason : `${reason}; ${hint}`
  }

  #of(release: string): Progress {
    const progress = this.#progress.get(release)
    if (progress === undefined) throw new Error(`no progress is kept for ${release}`) // run() made one for each
    return progress
  }

  #write(release: string, phase: Phase, cause?: string): void {
    const { hash, revision } = this.#of(release)
    this.#journal.write({
      at: Date.now(),
      release,
      phase,
      cluster: this.#cluster,
      hash,
      ...(revision > 0 ? { revision } : {}),
      ...(cause === undefined ? {} : { cause }),
    })
  }

  #wait(limitSeconds: number, stage: Stage) {
    return { limitSeconds, stage, ...(this.#options.signal ? { signal: this.#options.signal } : {}) }
  }

  #seconds(): number {
    return (performance.now() - this.#began) / 1000
  }
}

/**
 * The plan as a graph: each release is applied, then gated; see `ReleasePlan.selfWaiting` for what needs what. Members
 * of a group wait for the needs of all members outside of it, and no gate of theirs opens before all are installed.
 */
export function stepsOf(plan: ChartPlan): ReleaseStep[] {
  return plan.releases.flatMap(release => {
    const group = groupOf(release, plan.releases)
    const names = group.map(({ name }) => name)
    const needs = [...new Set(group.flatMap(it => it.needs))].filter(need => !names.includes(need))
    const gates = needs.map(need => `gate ${need}`)
    return [
      {
        id: `apply ${release.name}`,
        act: 'apply' as const,
        release,
        needs: release.selfWaiting ? [] : gates,
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

async function helmIn(toolsDirectory: string | undefined): Promise<string> {
  if (toolsDirectory === undefined) return 'helm'
  const path = join(toolsDirectory, 'helm')
  return access(path).then(
    () => path,
    () => 'helm',
  )
}

function hashOf(...texts: readonly string[]): string {
  return createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 16)
}
