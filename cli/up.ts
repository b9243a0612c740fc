// `pilotlight up`: makes a site true, from machines that are off to an OpenStack that answers.

import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Machine } from '#server/inventory/objects.ts'
import type { ReleaseResult } from '#charts/engine.ts'
import type { Verification } from '#charts/verify.ts'
import { machineBundle } from '#cluster/bundle.ts'
import { bringUp } from '#cluster/bringup.ts'
import { ensurePki } from '#cluster/pki.ts'
import { run } from '#host/command.ts'
import { inStage } from '#progress/stage.ts'
import type { Stage } from '#progress/stage.ts'
import { checkDataDirectory } from '#site/check-data.ts'
import { compileSite } from '#site/compile.ts'
import { readSiteFile } from '#site/read.ts'
import { machinesOf } from '#site/site.ts'
import type { Site } from '#site/site.ts'
import { ServerClient } from './server-client.ts'
import { BootWatch } from './watch-boots.ts'

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
  /** Ends after the cluster stands, before the chart stage. */
  readonly untilCluster: boolean
}

/** What a finished `up` leaves behind for whoever looks around. */
export type UpResult = {
  readonly kubeconfigPath: string
  readonly openstack?: { readonly releases: readonly ReleaseResult[]; readonly verification: Verification }
}

/**
 * Checks the site file and the data directory before anything is started, then does what is not yet done:
 * publish, power on, boot, control plane, charts, verification. It may be run again after any failure.
 */
export async function up(options: UpOptions, stage: Stage, signal: AbortSignal): Promise<UpResult> {
  const site = await readSiteFile(options.site)
  await checkDataDirectory(site, options.dataPath)
  const state = resolve(options.state)
  await mkdir(state, { recursive: true })
  const client = new ServerClient(options.server)
  const pki = await inStage(stage, 'publish', work => publish(site, client, state, work))
  const kubeconfigPath = join(state, 'kubeconfig')
  const { last } = await client.events(0, 0)
  const failure = new AbortController()
  const either = AbortSignal.any([signal, failure.signal])
  const watch = new BootWatch(client, last, error => failure.abort(error))
  try {
    const boots = await inStage(stage, 'power on', work => powerOnAll(site, client, options, work, either))
    const booting = stage.child('boot')
    const booted = boots.map(machine => ({
      machine,
      ready: watch.ready(machine.name, booting.child(machine.name), options.bootLimitSeconds),
    }))
    const all = Promise.all(booted.map(({ ready }) => ready)).then(
      () => booting.done(),
      (error: unknown) => {
        booting.failed(error)
        failure.abort(error)
      },
    )
    const controllers = machinesOf(site, 'controller')
    await Promise.all(booted.filter(({ machine }) => controllers.includes(machine)).map(({ ready }) => ready))
    await inStage(stage, 'cluster', work =>
      bringUp({ site, pki, kubeconfigPath, stage: work, signal: either }),
    )
    await all
    signal.throwIfAborted()
  } catch (error) {
    throw failure.signal.aborted ? failure.signal.reason : error
  } finally {
    await watch.close()
  }
  if (options.untilCluster) return { kubeconfigPath }
  return {
    kubeconfigPath,
    openstack: await bringUpOpenstack(site, options, state, kubeconfigPath, stage, signal),
  }
}

async function publish(site: Site, client: ServerClient, state: string, stage: Stage) {
  stage.waiting('certificates')
  const pki = await ensurePki(site, join(state, 'pki'))
  stage.waiting('the server')
  const changed = await client.putSite(site.name, compileSite(site))
  for (const machine of site.machines) await client.putBundle(machine.name, machineBundle(site, pki, machine))
  stage.done(`${site.machines.length} machines${changed ? '' : ', nothing new'}`)
  return pki
}

/** Switches on what is neither ready nor on its way; gives the machines whose boot must be awaited. */
async function powerOnAll(
  site: Site,
  client: ServerClient,
  { powerOn }: UpOptions,
  stage: Stage,
  signal: AbortSignal,
): Promise<Machine[]> {
  const phases = new Map((await client.machines()).map(({ name, phase }) => [name, phase]))
  const boots = site.machines.filter(({ name }) => phases.get(name) !== 'ready')
  if (boots.length === 0) stage.skipped('all are ready')
  else if (powerOn === undefined) stage.done(`switch them on now: ${boots.map(({ name }) => name).join(' ')}`)
  else {
    await Promise.all(
      boots.map(({ name }) => {
        const line = powerOn.replaceAll('{name}', name)
        return run('sh', ['-c', line], { limitSeconds: 60, signal })
      }),
    )
    stage.done(`${boots.length} machines`)
  }
  return boots
}

async function bringUpOpenstack(
  site: Site,
  options: UpOptions,
  state: string,
  kubeconfigPath: string,
  stage: Stage,
  signal: AbortSignal,
) {
  const { applyCharts } = await import('#charts/engine.ts')
  const { planCharts } = await import('#charts/plan.ts')
  const { verifyOpenstack } = await import('#charts/verify.ts')
  const tools = options.tools === undefined ? {} : { toolsDirectory: resolve(options.tools) }
  const common = { site, kubeconfigPath, stateDirectory: state, signal, ...tools }
  const { releases } = await inStage(stage, 'openstack', work =>
    applyCharts({ ...common, plan: planCharts(site), stage: work }),
  )
  const verification = await inStage(stage, 'verify', work => verifyOpenstack({ ...common, stage: work }))
  return { releases, verification }
}
