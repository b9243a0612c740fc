// What each step of `pilotlight up` does. A step gives what later steps need of it.

import { resolve } from 'node:path'
import type { ServerClient } from '#client/server.ts'
import { run } from '#host/command.ts'
import { Failure } from '#model/error.ts'
import type { Machine } from '#model/machine.ts'
import { isReady } from '#model/phase.ts'
import type { Stage } from '#progress/stage.ts'
import { adminPassword } from '../charts/secrets/secrets.ts'
import type { ChartOptions, ChartsResult } from '../charts/verbs/apply.ts'
import { bringUp } from '../cluster/bringup.ts'
import type { Verification } from '../openstack/verify/verify.ts'
import type { Site } from '../site/site.ts'
import { approveAtTerminal, newestBoot, requireSomeone, type AskedBoots } from './approvals.ts'
import { BootWatch } from './boots.ts'
import { publish, type Published } from './publish.ts'
import type { Point, StepId } from './steps.ts'
import type { UpOptions } from './options.ts'

/** What each step gives. */
export type Results = {
  readonly charts: Omit<ChartOptions, 'kubeconfigPath' | 'stage'>
  readonly publish: Published
  readonly 'power on': PoweredOn
  readonly approve: void
  readonly boot: void
  readonly cluster: void
  readonly openstack: ChartsResult
  readonly verify: Verification
}

/** The boots under way. */
export type PoweredOn = {
  /** The machines that were not ready: their boots are awaited. */
  readonly boots: readonly Machine[]
  /** Which of their keys are asked about. */
  readonly asked: AskedBoots
  /** Milliseconds of `performance.now()`. */
  readonly at: number
  readonly watch: BootWatch
}

/** What a step works with. */
export type Work = {
  readonly site: Site
  readonly options: UpOptions
  readonly client: ServerClient
  /** The state directory of the site, and the kubeconfig in it. */
  readonly state: string
  readonly kubeconfigPath: string
  readonly stage: Stage
  readonly signal: AbortSignal
  readonly reached: (point: Point) => void
  /** What a step gave that this one needs. */
  readonly of: <Id extends StepId>(id: Id) => Results[Id]
  /** Takes what is to be closed when `up` ends, however it ends. */
  readonly closeAtEnd: (open: { close(): Promise<void> }) => void
  /** Called when the server begins to have something of the site. */
  readonly beforePut: () => void
}

/** Each step's own. */
export const ACTIONS: { readonly [Id in StepId]: (work: Work) => Promise<Results[Id]> } = {
  charts: prepareCharts,
  publish: ({ site, client, state, stage, beforePut, options: { show } }) =>
    publish(site, client, state, stage, { beforePut, ...(show && { show }) }),
  'power on': powerOn,
  approve,
  boot,
  cluster,
  openstack: bringUpCharts,
  verify: verifyCloud,
}

/** Plans and renders the charts. */
async function prepareCharts({ site, options, state, signal }: Work): Promise<Results['charts']> {
  const { renderOffline } = await import('../charts/preflight/preflight.ts')
  const { requireHelm } = await import('../charts/releases/helm.ts')
  const { siteCharts } = await import('./site-charts.ts')
  const { tools } = options
  await requireHelm(tools)
  const tooled = { stateDirectory: state, ...(tools === undefined ? {} : { tools }) }
  const { plan, charts } = await siteCharts(options.site, site, tooled)
  const toolsDirectory = tools === undefined ? {} : { toolsDirectory: resolve(tools) }
  const session = { site, plan, charts, stateDirectory: state, ...toolsDirectory }
  return { ...session, rendered: await renderOffline({ ...session, signal }) }
}

/** Follows the boots from now on, and switches on what is not ready. */
async function powerOn({
  site,
  options,
  client,
  stage,
  signal,
  closeAtEnd,
}: Work): Promise<Results['power on']> {
  const watch = await BootWatch.start(client, signal)
  closeAtEnd(watch)
  const after = options.powerOn === undefined ? {} : { after: await newestBoot(client) }
  const at = performance.now()
  const phases = new Map((await client.machines()).map(({ name, phase }) => [name, phase]))
  const boots = site.machines.filter(({ name }) => !isReady(phases.get(name)))
  requireSomeone(site, boots, options.approves)
  if (boots.length === 0) stage.skipped('all are ready')
  else if (options.powerOn === undefined)
    stage.done(`switch them on now: ${boots.map(({ name }) => name).join(' ')}`)
  else {
    const command = options.powerOn
    await Promise.all(boots.map(({ name }) => switchOn(name, command, signal)))
    stage.done(`${boots.length} machines`)
  }
  return { boots, asked: { ...after, isPresentKnown: site.network.dhcp !== 'off' }, at, watch }
}

async function switchOn(name: string, command: string, signal: AbortSignal): Promise<void> {
  const line = command.replaceAll('{name}', name)
  await run('sh', ['-c', line], { limitSeconds: 60, signal }).catch((cause: unknown) => {
    if (signal.aborted) throw cause
    const remedy = 'correct --power-on, or leave it out and switch machines on by hand'
    throw new Failure('POWER_ON_FAILED', `${name} could not be switched on`, remedy, { cause })
  })
}

/** Asks about the keys of the boots, where there is a terminal. */
async function approve({ options, client, signal, of }: Work): Promise<void> {
  const { approves, show = () => undefined } = options
  const { boots, asked } = of('power on')
  if (approves !== undefined) await approveAtTerminal(client, boots, { approves, show }, asked, signal)
}

/** Waits until all machines are ready, and says when the controllers are. */
async function boot({ options, stage, of, reached }: Work): Promise<void> {
  const { boots, watch } = of('power on')
  const all = boots.map(async ({ name, role }) => {
    await watch.ready(name, stage.child(name), options.bootLimitSeconds)
    return role
  })
  const controllers = all.filter((_, index) => boots[index]?.role === 'controller')
  await Promise.all([Promise.all(controllers).then(() => reached('controllers ready')), ...all])
}

async function cluster({ site, kubeconfigPath, stage, signal, of, reached }: Work): Promise<void> {
  const { pki } = of('publish')
  await bringUp({
    site,
    pki,
    kubeconfigPath,
    stage,
    signal,
    reached: step => {
      if (step === 'nodes') reached('nodes labelled')
    },
  })
}

async function bringUpCharts({ kubeconfigPath, stage, signal, of }: Work): Promise<ChartsResult> {
  const { applyCharts } = await import('../charts/verbs/apply.ts')
  return applyCharts({ ...of('charts'), kubeconfigPath, signal, stage })
}

/** Seconds in which a service must answer, from the time when the charts are applied. */
const SERVICE_LIMIT_SECONDS = 600

async function verifyCloud({ site, options, state, stage, signal }: Work): Promise<Verification> {
  const { verifyOpenstack } = await import('../openstack/verify/verify.ts')
  return verifyOpenstack({
    site,
    password: () => adminPassword(state),
    stateDirectory: state,
    guest: { url: `${options.server}/assets/guest` },
    serviceSeconds: SERVICE_LIMIT_SECONDS,
    stage,
    signal,
  })
}
