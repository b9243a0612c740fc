// A cluster that will stop renewing certificates says so before: in the metrics, and by an alarm with the day.

import t from 'tap'
import { signingAlarms, signingEnds } from '#server/inventory/signing.ts'
import type { Machine } from '#server/inventory/objects.ts'
import { machineBundle, siteAuthority } from '#cluster/bundle.ts'
import { compileSite } from '#site/compile.ts'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { testPki } from '../site-pki.ts'
import { machineNamed, smallSite } from '../small-site.ts'
import { testServer } from '../server/serving.ts'

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
