// What `pilotlight plan` says of a cluster that exists: the day on which it would stop renewing certificates by itself. And the
// charts that it reads, which are those of `up`.

import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { writeLock } from '#rack/charts/sources/lock-file.ts'
import { signingSentences } from '#rack/up/signing-day.ts'
import { publish } from '#rack/up/publish.ts'
import { ServerClient } from '#client/server.ts'
import { silentStage } from '#progress/stage.ts'
import { testServer } from '../../server/serving.ts'
import { smallSite } from '../../small-site.ts'
import { pilotlight } from '../../cli/pilotlight.ts'

t.setTimeout(120_000) // a busy machine takes its time

const ROOT = join(import.meta.dirname, '../../..')
const SITE = join(ROOT, 'lab/racks/small/site.yaml')
const NOW = Date.UTC(2027, 0, 1)
const nowhere = 'http://127.0.0.1:9'

/** The lines of a plan that speak of signing. */
async function planned(server: string, state: string): Promise<string[]> {
  const { status, out, err } = await pilotlight([
    'plan',
    SITE,
    '--json',
    '--server',
    server,
    '--state',
    state,
  ])
  if (status !== 0) throw new Error(err)
  const { steps } = JSON.parse(out) as { steps: { stage: string; step: string }[] }
  return steps.flatMap(({ stage, step }) => (stage === 'signing' ? [step] : []))
}

t.test(
  'says the day that the server knows, else the one of the last up, and nothing before the first',
  async t => {
    const folder = t.testdir({})
    const state = join(folder, 'up')
    const server = await testServer(t, { dataPath: ROOT, statePath: join(folder, 'state') })
    t.strictSame(await planned(nowhere, state), [], 'no server, no state')
    t.strictSame(await planned(server.url, state), [], 'a server that has no authority')
    const token = readFileSync(join(server.statePath, 'admin.token'), 'utf8').trim()
    const { signsUntil } = await publish(smallSite, new ServerClient(server.url, token), state, silentStage)
    const day = new Date(signsUntil).toISOString().slice(0, 10)
    const sentence = `kubelets renew their certificates until ${day} if the provisioner stays away from now on`
    t.strictSame(await planned(server.url, join(folder, 'other')), [`controllers that boot now: ${sentence}`])
    const [remembered, ...more] = await planned(nowhere, state)
    t.ok(
      remembered?.startsWith(`${sentence}, as of the last up here; the server does not say: no answer from`),
    )
    t.strictSame(more, [])
    writeFileSync(join(state, 'signing.json'), 'broken')
    t.strictSame(await planned(nowhere, state), [], 'a file that cannot be read says nothing')
  },
)

t.test('says the day of the controllers that have their bundles, and when it is over', async t => {
  const answer = { ends: '2027-02-03T10:00:00.000Z', until: '2027-03-01T10:00:00.000Z' }
  const http = createServer((_, response) => response.end(JSON.stringify(answer)))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => http.close())
  const server = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const places = { server, state: t.testdirName }
  t.strictSame(await signingSentences('small', places, NOW), [
    'kubelets renew their certificates until 2027-02-03 if the provisioner stays away from now on',
  ])
  t.strictSame(await signingSentences('small', places, Date.UTC(2027, 1, 4)), [
    'kubelets have renewed no certificates since 2027-02-03: start the provisioner, and run pilotlight up',
  ])
})

t.test('reads the charts of a source as `up` does: asks to pin all of them', async t => {
  const source = 'http://127.0.0.1:9/charts' // no one answers there
  const folder = t.testdir({
    'site.yaml': readFileSync(SITE, 'utf8').replace(
      'openstack: { plan: compute-kit }',
      `openstack: { plan: openstack-helm, charts: { source: '${source}', lock: charts.lock.yaml } }`,
    ),
  })
  const plan = ['plan', join(folder, 'site.yaml'), '--server', nowhere, '--state', join(folder, 'up')]
  const { status, err } = await pilotlight(plan)
  t.not(status, 0)
  t.match(err, `The charts of ${source} are not pinned`)
  writeLock(join(folder, 'charts.lock.yaml'), {
    source,
    charts: { nova: { version: '2026.1.0', sha256: 'ab'.repeat(32) } },
  })
  const notAll = await pilotlight(plan)
  t.equal(notAll.status, 2)
  t.match(notAll.err, 'CHART_LOCK: Chart rabbitmq is not in the lock file')
})
