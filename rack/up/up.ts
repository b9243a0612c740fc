// `pilotlight up`: makes a site true, from machines that are off to an OpenStack that answers.

import { join, resolve } from 'node:path'
import { ServerClient } from '#client/server.ts'
import { makeDirectory } from '#host/make-directory.ts'
import { inStage, type Stage } from '#progress/stage.ts'
import { messageOf } from '#progress/wait.ts'
import { adminPassword } from '../charts/secrets/secrets.ts'
import type { ChartsResult } from '../charts/verbs/apply.ts'
import { writeCloudsYaml } from '../openstack/openrc.ts'
import type { Verification } from '../openstack/verify/verify.ts'
import { checkDataDirectory } from '../site/check-data.ts'
import { compileSite } from '../site/compile.ts'
import { readSiteFile } from '../site/read.ts'
import type { Site } from '../site/site.ts'
import { ACTIONS, type Results, type Work } from './actions.ts'
import { firstBootWarning, withApproval } from './approvals.ts'
import { fitnessOf } from './fitness.ts'
import type { UpOptions } from './options.ts'
import { settledSite } from './settle.ts'
import { runSteps, stepsOf, type StepId, type Until } from './steps.ts'

/** What a finished `up` leaves behind for the operator. */
export type UpResult = {
  /** Machines of the site, by name; all are ready. */
  readonly ready: readonly string[]
  /** Absent where `up` ended before there was a cluster. */
  readonly kubeconfigPath?: string
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
 * Checks the site file and the data directory before anything is started, then does what is not yet done: the steps that
 * `stepsOf` names. It may be run again after any failure.
 */
export async function up(options: UpOptions, stage: Stage, signal: AbortSignal): Promise<UpResult> {
  const state = resolve(options.state)
  await checkDataDirectory(await readSiteFile(options.site, state), options.dataPath)
  makeDirectory(state)
  const client = new ServerClient(options.server)
  client.requirePrivateWire()
  const { site: own, warnings } = await settledSite(options.site, state, client, line => options.show?.(line))
  for (const warning of warnings) options.show?.(warning)
  const site = withApproval(own, options.approve)
  const warning = firstBootWarning(site, options.approve)
  if (warning !== undefined) options.show?.(warning)
  const fitness = fitnessOf(client, site, signal)
  fitness.catch(() => {}) // it is awaited before machines are switched on, if any is
  const opened: { close(): Promise<void> }[] = []
  let isPut = false
  const kubeconfigPath = join(state, 'kubeconfig')
  try {
    const results = await runUp(stage, signal, options.until, {
      site,
      options,
      client,
      state,
      kubeconfigPath,
      warnings,
      fitness,
      closeAtEnd: open => opened.push(open),
      beforePut: () => {
        isPut = true
      },
    })
    const { signsUntil } = results.of('publish')
    const ready = site.machines.map(({ name }) => name)
    if (options.until === 'boot') return { ready, signsUntil }
    if (options.until === 'cluster') return { ready, kubeconfigPath, signsUntil }
    return { ready, kubeconfigPath, signsUntil, openstack: await openstackOf(site, state, results) }
  } finally {
    for (const open of opened) await open.close()
    if (isPut && site !== own) await publishOwnPolicy(own, client, options)
  }
}

/** Runs the steps, each in its stage; gives what they gave. */
async function runUp(
  stage: Stage,
  signal: AbortSignal,
  until: Until,
  work: Omit<Work, 'stage' | 'signal' | 'reached' | 'of'>,
): Promise<Pick<Work, 'of'>> {
  const results = new Map<StepId, unknown>()
  const of = <Id extends StepId>(id: Id) => results.get(id) as Results[Id] // of its step, which this one needs
  await runSteps(stepsOf(until), signal, async (id, reached, ends) => {
    const act = (inner: Stage): Promise<unknown> =>
      ACTIONS[id]({ ...work, stage: inner, signal: ends, reached, of })
    results.set(id, id === 'approve' ? await act(stage) : await inStage(stage, id, act))
  })
  return { of }
}

async function openstackOf(
  site: Site,
  state: string,
  { of }: Pick<Work, 'of'>,
): Promise<NonNullable<UpResult['openstack']>> {
  const [charts, verification, { boots, at }] = [of('openstack'), of('verify'), of('power on')]
  const cloudsPath = writeCloudsYaml(site, (await adminPassword(state)) ?? '', state)
  const since = boots.length === 0 ? {} : { secondsTo: secondsSince(at, verification.at) }
  return { charts, verification, ...since, cloudsPath }
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

function secondsSince(start: number, { answered, ...at }: Verification['at']): Verification['at'] {
  const since = (time: number) => (time - start) / 1000
  return {
    token: since(at.token),
    active: since(at.active),
    guestUp: since(at.guestUp),
    ...(answered === undefined ? {} : { answered: since(answered) }),
  }
}
