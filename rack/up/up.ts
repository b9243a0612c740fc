// `pilotlight up`: makes a site true, from machines that are off to an OpenStack that answers.

import { join, resolve } from 'node:path'
import { Failure } from '#model/error.ts'
import { ServerClient } from '#client/server.ts'
import { run } from '#host/command.ts'
import { makeDirectory } from '#host/make-directory.ts'
import type { Machine } from '#model/machine.ts'
import { isReady } from '#model/phase.ts'
import { inStage, type Stage } from '#progress/stage.ts'
import { messageOf } from '#progress/wait.ts'
import type { ChartOptions, ChartsResult } from '../charts/verbs/apply.ts'
import { adminPassword } from '../charts/secrets/secrets.ts'
import { writeCloudsYaml } from '../openstack/openrc.ts'
import type { Verification } from '../openstack/verify/verify.ts'
import { bringUp } from '../cluster/bringup.ts'
import { checkDataDirectory } from '../site/check-data.ts'
import { compileSite } from '../site/compile.ts'
import { readSiteFile } from '../site/read.ts'
import type { Site } from '../site/site.ts'
import {
  approveAtTerminal,
  firstBootWarning,
  newestBoot,
  requireSomeone,
  withApproval,
  type AskAboutKeys,
} from './approvals.ts'
import { publish, type Published } from './publish.ts'
import { BootWatch } from './boots.ts'

/** What `pilotlight up` is told by its flags. */
export type UpOptions = {
  readonly site: string
  readonly server: string
  /** Where certificates, the kubeconfig and the journals of this site are kept. */
  readonly state: string
  /** The data directory that the server serves; its profiles and templates are checked first. */
  readonly dataPath: string
  /** A command that switches a machine on; `{name}` stands for the machine. */
  readonly powerOn?: string
  /** Where kubectl and helm lie; on PATH unless told. */
  readonly tools?: string
  /** Seconds in which a machine must be ready after power-on. */
  readonly bootLimitSeconds: number
  /** Overrides the site file: the first key of each machine is trusted. */
  readonly approve?: 'first-boot'
  /** Asks whether to approve keys of machines; there when a terminal is. */
  readonly approves?: AskAboutKeys
  /** Shows a person a line. */
  readonly show?: (line: string) => void
  /** `cluster` ends before the chart stage. */
  readonly until: 'cluster' | 'openstack'
}

/** What a finished `up` leaves behind for whoever looks around. */
export type UpResult = {
  readonly kubeconfigPath: string
  /** Milliseconds since 1970 until which the kubelets can renew their certificates while the server is away. */
  readonly signsUntil: number
  readonly openstack?: {
    readonly charts: ChartsResult
    readonly cloudsPath: string
    readonly verification: Verification
    /** Seconds from the first power-on, when this run switched machines on. */
    readonly secondsTo?: Verification['at']
  }
}

/**
 * Checks the site file and the data directory before anything is started, then does what is not yet done:
 * publish, power on, boot, control plane, charts, verification. It may be run again after any failure.
 *
 * The chart stage begins as soon as the nodes have their labels: its pods wait by themselves for what is not there
 * yet, and the control plane pivots meanwhile. The first failure of any part stops the others.
 */
export async function up(options: UpOptions, stage: Stage, signal: AbortSignal): Promise<UpResult> {
  const own = await readSiteFile(options.site)
  const site = withApproval(own, options.approve)
  await checkDataDirectory(site, options.dataPath)
  const state = resolve(options.state)
  makeDirectory(state)
  const client = new ServerClient(options.server)
  client.requirePrivateWire()
  const warning = firstBootWarning(site, options.approve)
  if (warning !== undefined) options.show?.(warning)
  const charts =
    options.until === 'openstack'
      ? await inStage(stage, 'charts', () => prepareCharts(site, options, state, signal))
      : undefined
  let isPut = false
  try {
    const published = await inStage(stage, 'publish', work =>
      publish(site, client, state, work, () => {
        isPut = true
      }),
    )
    return await bringUpSite({ site, client, state, charts, published }, options, stage, signal)
  } finally {
    if (isPut && site !== own) await publishOwnPolicy(own, client, options)
  }
}

/**
 * Puts the site's own policy in place of the one that the flag gave: a machine that is opened later has its first key approved by
 * what the site file says. Whatever ended `up`, it is tried; a server that is gone keeps the flag's until the next `up`.
 */
async function publishOwnPolicy(
  own: Site,
  client: ServerClient,
  { approve, show }: UpOptions,
): Promise<void> {
  try {
    await client.putSite(own.name, compileSite(own))
  } catch (error) {
    const again = 'run  pilotlight up  again without the flag'
    show?.(
      `the server may still have --approve ${approve}, since the site's own policy could not be put: ${messageOf(error)}; ${again}`,
    )
  }
}

/** What is known before a machine is switched on. */
type Ready = {
  readonly site: Site
  readonly client: ServerClient
  readonly state: string
  readonly charts: Omit<ChartOptions, 'kubeconfigPath' | 'stage'> | undefined
  readonly published: Published
}

async function bringUpSite(
  { site, client, state, charts, published: { pki, signsUntil } }: Ready,
  options: UpOptions,
  stage: Stage,
  signal: AbortSignal,
): Promise<UpResult> {
  const kubeconfigPath = join(state, 'kubeconfig')

  const failure = new AbortController()
  const parts = AbortSignal.any([signal, failure.signal])
  const watch = await BootWatch.start(client, parts)
  try {
    const after = options.powerOn === undefined ? {} : { after: await newestBoot(client) }
    const powerOnAt = performance.now()
    const boots = await inStage(stage, 'power on', work => powerOnAll(site, client, options, work, parts))
    const { controllers, all } = awaitBoots(boots, watch, stage.child('boot'), options.bootLimitSeconds)
    const labelled = Promise.withResolvers<void>()
    const cluster = controllers.then(() =>
      inStage(stage, 'cluster', work =>
        bringUp({
          site,
          pki,
          kubeconfigPath,
          stage: work,
          signal: parts,
          reached: step => {
            if (step === 'nodes') labelled.resolve()
          },
        }),
      ),
    )
    cluster.catch(labelled.reject)
    const openstack = labelled.promise.then(async () => {
      if (charts === undefined) return undefined
      // The verification waits by itself for each service: its guest boots seconds after the last one is up.
      const [applied, verification] = [
        bringUpCharts({ ...charts, kubeconfigPath, signal: parts }, stage),
        inStage(stage, 'verify', work => verifyCloud(site, options, state, work, parts)),
      ]
      await untilFirstFailure([applied, verification], failure)
      return { charts: await applied, verification: await verification }
    })
    const { approves, show = () => undefined } = options
    const asked = { ...after, isPresentKnown: site.network.dhcp !== 'off' }
    const approved =
      approves === undefined ? [] : [approveAtTerminal(client, boots, { approves, show }, asked, parts)]
    await untilFirstFailure([all, cluster, openstack, ...approved], failure)
    const done = await openstack
    if (done === undefined) return { kubeconfigPath, signsUntil }
    const cloudsPath = writeCloudsYaml(site, (await adminPassword(state)) ?? '', state)
    const since = boots.length === 0 ? {} : { secondsTo: secondsSince(powerOnAt, done.verification.at) }
    return { kubeconfigPath, signsUntil, openstack: { ...done, ...since, cloudsPath } }
  } finally {
    await watch.close()
  }
}

/** Waits for all parts; the first that fails aborts the others, and is what is thrown. */
async function untilFirstFailure(
  parts: readonly Promise<unknown>[],
  failure: AbortController,
): Promise<void> {
  for (const part of parts) part.catch((error: unknown) => failure.abort(error))
  await Promise.allSettled(parts)
  failure.signal.throwIfAborted()
}

/** The boots under way: when the controllers are ready, and when all machines are. */
function awaitBoots(boots: readonly Machine[], watch: BootWatch, stage: Stage, limitSeconds: number) {
  const ready = boots.map(({ name, role }) => ({
    role,
    ready: watch.ready(name, stage.child(name), limitSeconds),
  }))
  const all = allReady(ready)
  all.then(
    () => stage.done(),
    (error: unknown) => stage.failed(error),
  )
  return { controllers: allReady(ready.filter(({ role }) => role === 'controller')), all }
}

function allReady(boots: readonly { readonly ready: Promise<void> }[]): Promise<void[]> {
  return Promise.all(boots.map(({ ready }) => ready))
}

/** Switches on what is not ready; gives the machines whose boot must be awaited. */
async function powerOnAll(
  site: Site,
  client: ServerClient,
  { powerOn, approves }: UpOptions,
  stage: Stage,
  signal: AbortSignal,
): Promise<Machine[]> {
  const phases = new Map((await client.machines()).map(({ name, phase }) => [name, phase]))
  const boots = site.machines.filter(({ name }) => !isReady(phases.get(name)))
  requireSomeone(site, boots, approves)
  if (boots.length === 0) stage.skipped('all are ready')
  else if (powerOn === undefined) stage.done(`switch them on now: ${boots.map(({ name }) => name).join(' ')}`)
  else {
    await Promise.all(
      boots.map(async ({ name }) => {
        const line = powerOn.replaceAll('{name}', name)
        await run('sh', ['-c', line], { limitSeconds: 60, signal }).catch((cause: unknown) => {
          if (signal.aborted) throw cause
          const remedy = 'mend --power-on, or leave it out and switch machines on by hand'
          throw new Failure('POWER_ON_FAILED', `${name} could not be switched on`, remedy, { cause })
        })
      }),
    )
    stage.done(`${boots.length} machines`)
  }
  return boots
}

/** Plans and renders the charts while the machines are still off: a mistake costs no boot, and rendering no second. */
async function prepareCharts(
  site: Site,
  { site: siteFile, tools }: UpOptions,
  stateDirectory: string,
  signal: AbortSignal,
): Promise<Omit<ChartOptions, 'kubeconfigPath' | 'stage'>> {
  const { renderOffline } = await import('../charts/preflight/preflight.ts')
  const { requireHelm, siteCharts } = await import('./site-charts.ts')
  await requireHelm(tools)
  const tooled = { stateDirectory, ...(tools === undefined ? {} : { tools }) }
  const { plan, charts } = await siteCharts(siteFile, site, tooled)
  const toolsDirectory = tools === undefined ? {} : { toolsDirectory: resolve(tools) }
  const options = { site, plan, charts, stateDirectory, ...toolsDirectory }
  return { ...options, rendered: await renderOffline({ ...options, signal }) }
}

async function bringUpCharts(options: Omit<ChartOptions, 'stage'>, stage: Stage): Promise<ChartsResult> {
  const { applyCharts } = await import('../charts/verbs/apply.ts')
  return inStage(stage, 'openstack', work => applyCharts({ ...options, stage: work }))
}

/** Seconds in which a service must answer, from the moment when the charts are applied. */
const SERVICE_LIMIT_SECONDS = 600

async function verifyCloud(
  site: Site,
  { server }: UpOptions,
  stateDirectory: string,
  stage: Stage,
  signal: AbortSignal,
): Promise<Verification> {
  const { verifyOpenstack } = await import('../openstack/verify/verify.ts')
  const guest = { url: `${server}/assets/guest` }
  return verifyOpenstack({
    site,
    password: () => adminPassword(stateDirectory),
    stateDirectory,
    guest,
    serviceSeconds: SERVICE_LIMIT_SECONDS,
    stage,
    signal,
  })
}

function secondsSince(start: number, { answered, ...at }: Verification['at']): Verification['at'] {
  const since = (time: number) => (time - start) / 1000
  return {
    token: since(at.token),
    active: since(at.active),
    guestUp: since(at.guestUp),
    ...(answered === undefined ? {} : { answered: since(answered) }),
  }
}
