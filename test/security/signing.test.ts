// A cluster that will stop renewing certificates says so before: in the metrics, and by an alarm with the day.

import t from 'tap'
import type { Test } from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Machine } from '#model/machine.ts'
import { waitUntil } from '#progress/wait.ts'
import { machineBundle, siteAuthority } from '#rack/cluster/bundle.ts'
import { compileSite } from '#rack/site/compile.ts'
import { Authorities } from '#server/agent/authorities.ts'
import { signingAlarms, signingEnds } from '#server/agent/signing-ends.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { testPki } from '../site-pki.ts'
import { machineNamed, smallSite } from '../small-site.ts'
import { testServer } from '../server/serving.ts'
import { childServer } from './child-server.ts'

t.setTimeout(120_000) // a busy machine takes its time

const day = 86_400_000
const pki = await testPki(t.testdir())
const now = Date.UTC(2027, 0, 1)
const controller = (name: string): Machine => ({
  name,
  macs: ['52:54:00:20:00:01'],
  role: 'controller',
  address: '10.20.0.11',
  labels: {},
})
const kept = (days: number) => new Map([['ctl-1', { site: 'rack-1', until: now + days * day }]])

t.test(
  'a site ends signing with the first of its controllers, and machines that are gone do not count',
  async t => {
    const both = new Map([
      ['ctl-1', { site: 'rack-1', until: now + 50 * day }],
      ['ctl-2', { site: 'rack-1', until: now + 40 * day }],
      ['ctl-9', { site: 'rack-1', until: now }],
    ])
    t.strictSame(signingEnds(both, [controller('ctl-1'), controller('ctl-2')]), { 'rack-1': now + 40 * day })
  },
)

t.test('thirty days before the end it is an alarm that names the day and what to do', async t => {
  t.strictSame(signingAlarms(kept(31), [controller('ctl-1')], now), [])
  const [alarm] = signingAlarms(kept(29), [controller('ctl-1')], now)
  t.match(alarm, { kind: 'signing', machine: 'ctl-1', mac: '52:54:00:20:00:01' })
  t.match(alarm?.text, /on 2027-01-30 site rack-1 stops renewing.*Run 'pilotlight up'/)
  const [over] = signingAlarms(kept(-1), [controller('ctl-1')], now)
  t.match(over?.text, /since 2026-12-31 site rack-1 renews no certificates/)
})

t.test('the server knows until when a controller can sign from what it was given', async t => {
  const server = await testServer(t)
  const text = readFileSync(join(server.statePath, 'admin.token'), 'utf8').trim()
  const admin = { authorization: `Bearer ${text}` }
  await server.put(`/v1/sites/${smallSite.name}`, compileSite(smallSite), admin)
  const answer = await server.put(`/v1/sites/${smallSite.name}/authority`, siteAuthority(pki), admin)
  const { signsUntil } = (await answer.json()) as { signsUntil: number }
  t.ok(signsUntil > Date.now() + 88 * day && signsUntil <= Date.now() + 90 * day)
  const bundle = machineBundle(smallSite, pki, machineNamed(smallSite, 'ctl-1'))
  t.equal((await server.put('/v1/machines/ctl-1/bundle', bundle, admin)).status, 200)
  const metrics = async () => (await server.get('/metrics', admin)).text()
  t.notMatch(await metrics(), /^pilotlight_site_signing_ends_seconds\{/m, 'no machine has it yet')
})

/** The state of a server whose controller got signers `daysAgo`. */
async function stateOfSite(t: Test, daysAgo: number): Promise<string> {
  const statePath = join(t.testdir({ state: {} }), 'state')
  const store = new SqliteStore(join(statePath, 'pilotlight.db'))
  const made = Date.now() - daysAgo * day
  await store.objects.putSite(smallSite.name, compileSite(smallSite), { who: 'test', at: made })
  const { signsUntil } = await new Authorities(store.secrets, () => made).put(
    smallSite.name,
    siteAuthority(pki),
  )
  await store.machines.change('ctl-1', record =>
    record.putSigning({ site: smallSite.name, until: signsUntil }),
  )
  store.close()
  return statePath
}

const preload = (name: string) => ({
  NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, name)).href}`,
})
const SUCCESSORS = /signers of kubelet certificates have successors/

t.test(
  'a server gives signers successors a minute after its start and every day, and raises the alarm',
  async t => {
    const server = await childServer(t, {
      statePath: await stateOfSite(t, 40),
      env: { ...preload('passing-days.mjs'), PASSING_DAYS: '31' },
    })
    const linesOf = (what: RegExp) => server.said.filter(line => what.test(line)).length
    const pass = async (lines: number) => {
      server.child.kill('SIGUSR2')
      await waitUntil('the time passed', { limitSeconds: 60, everyMs: 50 }, async () =>
        linesOf(/^passed /) === lines ? { value: true } : { not: `${linesOf(/^passed /)} of ${lines} steps` },
      )
    }
    const alarms = async () =>
      Number(
        /^pilotlight_alarms_total\{kind="signing"\} (\d+)/m.exec(
          (await server.ask('GET', '/metrics')).text,
        )?.[1] ?? 0,
      )
    // The keys are made in threads, which take their time on a busy machine.
    const successors = (times: number) =>
      waitUntil('the successors were made', { limitSeconds: 60, everyMs: 50 }, async () =>
        linesOf(SUCCESSORS) >= times
          ? { value: linesOf(SUCCESSORS) }
          : { not: `${linesOf(SUCCESSORS)} times` },
      )
    t.equal(linesOf(SUCCESSORS), 0)
    await pass(1)
    t.equal(await successors(1), 1, 'a minute after the start')
    t.equal(await alarms(), 0, 'with 49 days left there is no alarm')
    await pass(32)
    t.equal(await successors(2), 2, 'once more 30 days later')
    t.equal(
      await alarms(),
      13,
      'a controller that does not fetch them is an alarm each day of its last thirty',
    )
    const { text } = await server.ask('GET', '/v1/events?machine=ctl-1')
    const { events } = JSON.parse(text) as { events: { kind: string; text: string }[] }
    t.match(
      events.find(({ kind }) => kind === 'signing')?.text,
      /site small stops renewing.*Run 'pilotlight up'/,
    )
    t.match(
      (await server.ask('GET', '/metrics')).text,
      /^pilotlight_site_signing_ends_seconds\{site="small"\} \d+/m,
    )
    await server.kill()
  },
)

t.test('a signer that was made by a clock far ahead is replaced once the clock is set', async t => {
  const server = await childServer(t, {
    statePath: await stateOfSite(t, 0),
    env: { ...preload('other-clock.mjs'), OTHER_CLOCK_MS: String(10 * day) },
  })
  t.notMatch(server.said.join('\n'), SUCCESSORS)
  server.child.kill('SIGUSR2') // 20 days ahead: young enough
  await waitUntil('the jump is logged', { limitSeconds: 30, everyMs: 100 }, async () =>
    server.said.some(line => line.includes("The host's clock was set"))
      ? { value: true }
      : { not: 'not yet' },
  )
  t.notMatch(server.said.join('\n'), SUCCESSORS)
  server.child.kill('SIGUSR2') // and 30
  await waitUntil('they have successors', { limitSeconds: 30, everyMs: 100 }, async () =>
    server.said.some(line => SUCCESSORS.test(line)) ? { value: true } : { not: 'not yet' },
  )
  await server.kill()
})
