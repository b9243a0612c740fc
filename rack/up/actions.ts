// What each step of `pilotlight up` does. A step gives what later steps need of it.

import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerClient } from '#client/server.ts'
import { run } from '#host/command.ts'
import type { Diagnosis } from '#model/diagnosis.ts'
import { Failure } from '#model/error.ts'
import type { Machine } from '#model/machine.ts'
import { isReady, type Phase } from '#model/phase.ts'
import type { Stage } from '#progress/stage.ts'
import { messageOf, WaitedTooLong } from '#progress/wait.ts'
import { adminPassword } from '../charts/secrets/secrets.ts'
import type { ChartOptions, ChartsResult } from '../charts/verbs/apply.ts'
import { bringUp } from '../cluster/bringup.ts'
import type { Verification } from '../openstack/verify/verify.ts'
import type { Site } from '../site/site.ts'
import { approveAtTerminal, newestBoot, requireSomeone, type AskedBoots } from './approvals.ts'
import { BootWatch, MachineFailed } from './boots.ts'
import { causesOf, requireFit } from './fitness.ts'
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
  /** The names of those that are not ready yet: `boot` takes each out as it gets ready. */
  readonly booting: Set<string>
  /** The phases in which they were before, by name. */
  readonly phases: ReadonlyMap<string, Phase>
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
  /** What the server said of the site, which a person has seen. */
  readonly warnings: readonly string[]
  readonly stage: Stage
  readonly signal: AbortSignal
  readonly reached: (point: Point) => void
  /** What a step gave that this one needs. */
  readonly of: <Id extends StepId>(id: Id) => Results[Id]
  /** Takes what is to be closed when `up` ends, however it ends. */
  readonly closeAtEnd: (open: { close(): Promise<void> }) => void
  /** Called when the server begins to have something of the site. */
  readonly beforePut: () => void
  /** What the server found out about the boots that are to come. */
  readonly fitness: Promise<readonly Diagnosis[]>
}

/** Each step's own. */
export const ACTIONS: { readonly [Id in StepId]: (work: Work) => Promise<Results[Id]> } = {
  charts: prepareCharts,
  publish: ({
    site,
    client,
    state,
    stage,
    beforePut,
    warnings,
    options: { show, replaceAuthority = false },
  }) =>
    publish(site, client, state, stage, {
      beforePut,
      replaceAuthority,
      shown: warnings,
      ...(show && { show }),
    }),
  'power on': powerOn,
  approve,
  boot,
  cluster,
  openstack: bringUpCharts,
  verify: verifyCloud,
}

/** Plans and renders the charts. */
async function prepareCharts({ site, options, state, signal }: Work): Promise<Results['charts']> {
  const { checkOffline, renderOffline } = await import('../charts/preflight/preflight.ts')
  const { PreflightFailed } = await import('../charts/errors.ts')
  const { requireHelm } = await import('../charts/releases/helm.ts')
  const { siteCharts } = await import('./site-charts.ts')
  const { tools } = options
  await requireHelm(tools)
  const tooled = { stateDirectory: state, ...(tools === undefined ? {} : { tools }) }
  const { plan, charts } = await siteCharts(options.site, site, tooled)
  const toolsDirectory = tools === undefined ? {} : { toolsDirectory: resolve(tools) }
  const session = { site, plan, charts, stateDirectory: state, ...toolsDirectory }
  const rendered = await renderOffline({ ...session, signal })
  // Our own charts are tested against each other; those of others are looked at before a machine is on.
  const problems = site.openstack.charts === undefined ? [] : checkOffline(session, rendered)
  if (problems.length > 0) throw new PreflightFailed(problems)
  return { ...session, rendered }
}

/** Follows the boots from now on, and switches on what is not ready. */
async function powerOn({
  site,
  options,
  client,
  stage,
  signal,
  closeAtEnd,
  fitness,
}: Work): Promise<Results['power on']> {
  const watch = await BootWatch.start(client, signal)
  closeAtEnd(watch)
  const after = options.powerOn === undefined ? {} : { after: await newestBoot(client) }
  const at = performance.now()
  const phases = new Map((await client.machines()).map(({ name, phase }) => [name, phase] as const))
  const boots = site.machines.filter(({ name }) => !isReady(phases.get(name)))
  if (boots.length > 0) {
    const { bootAnyway = false, show = () => undefined } = options
    stage.waiting('what the server sees of its network')
    requireFit(await fitness, { bootAnyway, show })
  }
  // A person is sent to a terminal only where the machines would boot.
  requireSomeone(site, boots, options.approves)
  if (boots.length === 0) stage.skipped('all are ready')
  else if (options.powerOn === undefined) {
    const names = boots.map(({ name }) => name).join(' ')
    options.show?.(`\n>>> Switch these machines on now, with network boot: ${names}\n`)
    stage.done(`by hand: ${names}`)
  } else {
    await switchOnAll(boots, options.powerOn, signal)
    stage.done(`${boots.length} machines`)
  }
  const booting = new Set(boots.map(({ name }) => name))
  return {
    boots,
    booting,
    phases,
    asked: { ...after, isPresentKnown: site.network.dhcp !== 'off' },
    at,
    watch,
  }
}

/** Switches all on; those that fail are named together, each with its reason. */
async function switchOnAll(boots: readonly Machine[], command: string, signal: AbortSignal): Promise<void> {
  const ends = await Promise.allSettled(boots.map(({ name }) => switchOn(name, command, signal)))
  signal.throwIfAborted()
  const failed = ends.flatMap((end, at) =>
    end.status === 'fulfilled' ? [] : [{ name: boots[at]?.name ?? '', cause: end.reason as Error }],
  )
  const [first] = failed
  if (first === undefined) return
  const remedy = 'correct --power-on, or leave it out and switch machines on by hand; then run the same again'
  if (failed.length === 1) {
    const what = `${first.name} could not be switched on`
    const others =
      boots.length === 1 ? '' : `; of the other ${boots.length - 1} the command ended well, and they boot`
    throw new Failure('POWER_ON_FAILED', what + others, remedy, { cause: first.cause })
  }
  const reasons = failed.map(({ name, cause }) => `\n  ${name}: ${messageOf(cause).replaceAll('\n', ' ')}`)
  const what = `${failed.length} of ${boots.length} machines could not be switched on:${reasons.join('')}`
  throw new Failure('POWER_ON_FAILED', what, remedy)
}

async function switchOn(name: string, command: string, signal: AbortSignal): Promise<void> {
  const line = command.replaceAll('{name}', name)
  await run('sh', ['-c', line], { limitSeconds: 60, signal })
}

/** Asks about the keys of the boots, where there is a terminal. */
async function approve({ options, client, signal, of }: Work): Promise<void> {
  const { approves, show = () => undefined } = options
  const { boots, asked } = of('power on')
  if (approves !== undefined) await approveAtTerminal(client, boots, { approves, show }, asked, signal)
}

/** Waits until all machines are ready, and says when the controllers are. */
async function boot({ site, options, stage, of, reached, fitness }: Work): Promise<void> {
  const { boots, booting, phases, watch } = of('power on')
  const { dhcp } = site.network
  const causes = boots.length === 0 ? [] : causesOf(await fitness)
  const ready = new Set<string>()
  const failed = new Map<string, unknown>()
  const all = boots.map(async ({ name }) => {
    const phase = phases.get(name)
    const before = { dhcp, causes, ...(phase !== undefined && { phase }) }
    try {
      await watch.ready(name, stage.child(name), options.bootLimitSeconds, before)
      ready.add(name)
      booting.delete(name)
    } catch (error) {
      failed.set(name, error)
    }
  })
  await Promise.all(all.filter((_, index) => boots[index]?.role === 'controller'))
  // Without a controller there is nothing to wait for; what fails at the same time, as at the limit, is said with it.
  if (failed.size > 0) await sleep(AT_ONCE_MS)
  requireAll(boots, ready, failed)
  reached('controllers ready')
  await Promise.all(all)
  requireAll(boots, ready, failed)
}

/** Milliseconds within which failures count as one. */
const AT_ONCE_MS = 100

/**
 * Says of each machine that did not become ready why.
 *
 * @throws the one error; {Failure} PARTLY_FAILED when others are ready; where none is, with the code of the first
 */
function requireAll(
  boots: readonly Machine[],
  ready: ReadonlySet<string>,
  failed: ReadonlyMap<string, unknown>,
): void {
  const [first] = failed.values()
  if (first === undefined) return
  const reasons = [...failed.values()]
  // Of an interruption, or of the server that is lost, there is one reason for all.
  const other = reasons.find(reason => !(reason instanceof MachineFailed || reason instanceof WaitedTooLong))
  if (other !== undefined) throw other
  if (boots.length === 1) throw first
  const names = [...failed.keys()]
  const what = `${failed.size} of ${boots.length} machines did not become ready:${reasons.map(reason => `\n  ${messageOf(reason)}`).join('')}`
  const kept = ready.size > 0 ? ': the others are kept' : ''
  const remedy = `pilotlight journal ${names[0]}   shows its boot (docs/how-to/a-boot-that-hangs.md has the causes); fix ${names.join(' ')}, and run the same command again${kept}`
  const alone = first instanceof MachineFailed ? 'MACHINE_FAILED' : 'WAITED_TOO_LONG'
  throw new Failure(ready.size > 0 ? 'PARTLY_FAILED' : alone, what, remedy)
}

async function cluster({ site, options, kubeconfigPath, stage, signal, of, reached }: Work): Promise<void> {
  const { pki } = of('publish')
  const { booting: names } = of('power on')
  await bringUp({
    site,
    pki,
    kubeconfigPath,
    stage,
    signal,
    booting: { names, limitSeconds: options.bootLimitSeconds },
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
