// The steps of `up`: that the plan prints the ones that are run, and that they start as early as their needs allow.

import { join } from 'node:path'
import t from 'tap'
import { ACTIONS } from '#rack/up/actions.ts'
import { LINES, planSite } from '#rack/up/plan.ts'
import { runSteps, stepsOf, type Point, type StepId } from '#rack/up/steps.ts'

const ROOT = join(import.meta.dirname, '../../..')
const SITE = join(ROOT, 'lab/racks/small/site.yaml')
const never = new AbortController().signal

/** Lets everything start that can. */
const settle = () => new Promise(resolve => setImmediate(resolve))

/** Runs the steps with work that ends on request; gives what has started and ended, in order. */
async function rehearse(until: 'cluster' | 'openstack', signal = never) {
  const log: string[] = []
  const works = new Map<StepId, PromiseWithResolvers<void>>()
  const points = new Map<StepId, (point: Point) => void>()
  const run = runSteps(stepsOf(until), signal, async (id, reached, ends) => {
    log.push(id)
    points.set(id, reached)
    const work = Promise.withResolvers<void>()
    works.set(id, work)
    ends.addEventListener('abort', () => work.reject(ends.reason as Error), { once: true })
    await work.promise
  })
  await settle()
  return {
    log,
    run,
    end: async (id: StepId, error?: Error) => {
      if (error === undefined) works.get(id)?.resolve()
      else works.get(id)?.reject(error)
      await settle()
    },
    reach: async (id: StepId, point: Point) => {
      points.get(id)?.(point)
      await settle()
    },
  }
}

t.test('plan prints the steps that up runs, in the order in which they start', async t => {
  const printed = await planSite(SITE, ROOT, { server: 'http://127.0.0.1:9', state: t.testdirName })
  const stages = [...new Set(printed.map(({ stage }) => stage))]
  const { log, run, end, reach } = await rehearse('openstack')
  for (const id of ['charts', 'publish', 'power on'] as const) await end(id)
  await reach('boot', 'controllers ready')
  await reach('cluster', 'nodes labelled')
  for (const id of ['approve', 'boot', 'cluster', 'openstack', 'verify'] as const) await end(id)
  await run
  const facts = ['trust', 'signing', 'disk'] // said of `publish`
  t.strictSame(
    log.filter(id => id !== 'approve'), // said by `trust`
    stages.filter(stage => !facts.includes(stage)),
  )
})

t.test('every step has an action and lines of the plan, and no other has', async t => {
  const ids = stepsOf('openstack').map(({ id }) => id)
  t.strictSame(Object.keys(ACTIONS).toSorted(), ids.toSorted())
  t.strictSame(Object.keys(LINES).toSorted(), ids.toSorted())
})

t.test('the charts and the verification begin beside the pivot, while machines still boot', async t => {
  const { log, run, end, reach } = await rehearse('openstack')
  await end('charts')
  await end('publish')
  await end('power on')
  t.strictSame(log, ['charts', 'publish', 'power on', 'boot', 'approve'])
  await reach('boot', 'controllers ready')
  t.equal(log.at(-1), 'cluster', 'a compute machine still boots')
  await reach('cluster', 'nodes labelled')
  t.strictSame(log.slice(-2), ['openstack', 'verify'], 'the cluster still pivots')
  for (const id of ['boot', 'approve', 'cluster', 'openstack', 'verify'] as const) await end(id)
  await run
})

t.test('up --until cluster has no step of the charts', async t => {
  t.strictSame(
    stepsOf('cluster').map(({ id, needs }) => `${id} after ${needs.join()}`),
    [
      'publish after ',
      'power on after publish',
      'boot after power on',
      'cluster after controllers ready',
      'approve after power on',
    ],
  )
})

t.test('up --until boot ends when the machines are ready', async t => {
  t.strictSame(
    stepsOf('boot').map(({ id, needs }) => `${id} after ${needs.join()}`),
    ['publish after ', 'power on after publish', 'boot after power on', 'approve after power on'],
  )
})

t.test('the first failure ends the other steps, starts no further one, and is what is thrown', async t => {
  const { log, run, end } = await rehearse('openstack')
  await end('charts')
  await end('publish')
  await end('power on')
  const failed = run.catch((error: unknown) => error)
  await end('boot', new Error('ctl-1 failed'))
  t.match(await failed, { message: 'ctl-1 failed' })
  t.notOk(log.includes('cluster'))
})

t.test('an interruption is thrown as it was given, though steps wait', async t => {
  const interrupted = new AbortController()
  const { log, run } = await rehearse('openstack', interrupted.signal)
  const failed = run.catch((error: unknown) => error)
  interrupted.abort(new Error('interrupted'))
  t.match(await failed, { message: 'interrupted' })
  t.strictSame(log, ['charts'])
})
