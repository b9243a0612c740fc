import t from 'tap'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXIT } from '#cli/exit.ts'
import { testServer } from '../../server/serving.ts'
import { pilotlight } from '../../cli/pilotlight.ts'
import { absent } from '../../absent.ts'

const ROOT = join(import.meta.dirname, '../../..')
const SITE = join(ROOT, 'lab/racks/small/site.yaml')

/** How first keys are approved of a machine that the server shows. */
const policyOf = (text: string) => (JSON.parse(text) as { trust: { approve: string } }).trust.approve

/** The flags of an `up` against this server that ends with the cluster, its state in `folder`. */
const toCluster = (url: string, folder: string) => [
  '--server',
  url,
  '--state',
  join(folder, 'up'),
  '--until',
  'cluster',
]

t.test('a machine that cannot be switched on is named, with what its command said', async t => {
  const folder = t.testdir()
  const server = await testServer(t, { dataPath: ROOT, statePath: join(folder, 'server') })
  const options = [...toCluster(server.url, folder), '--boot-anyway']
  const powerOn = ['--power-on', 'echo no BMC >&2; test {name} = cmp-1']
  t.match(
    await pilotlight(['up', SITE, ...options, ...powerOn], {
      env: { PILOTLIGHT_STATE_PATH: server.statePath },
    }),
    {
      status: EXIT.failed,
      err: /error POWER_ON_FAILED: ctl-1 could not be switched on; of the other 1 the command ended well, and they boot\n {2}because: .*no BMC.*\n(?:.*\n)* {2}fix: correct --power-on/,
    },
  )
})

t.test('machines that cannot be switched on are all named, and JSON says so too', async t => {
  const folder = t.testdir()
  const server = await testServer(t, { dataPath: ROOT, statePath: join(folder, 'server') })
  const options = [...toCluster(server.url, folder), '--json', '--boot-anyway']
  const { status, out, err } = await pilotlight(
    ['up', SITE, ...options, '--power-on', 'echo "{name}: chassis is locked" >&2; false'],
    { env: { PILOTLIGHT_STATE_PATH: server.statePath } },
  )
  t.equal(status, EXIT.failed)
  const text =
    /2 of 2 machines could not be switched on:\n {2}ctl-1: .*ctl-1: chassis is locked.*\n {2}cmp-1: .*cmp-1: chassis is locked/
  t.match(err, text)
  t.match(JSON.parse(out), {
    apiVersion: 'pilotlight/v1',
    error: { code: 'POWER_ON_FAILED', message: text, fix: /--power-on/, exitStatus: EXIT.failed },
  })
})

t.test('up asks for power by hand in a line of its own, and says at its end what was missing', async t => {
  const folder = t.testdir()
  const server = await testServer(t, { dataPath: ROOT, statePath: join(folder, 'server') })
  const options = [...toCluster(server.url, folder), '--boot-anyway', '--boot-limit', '1']
  const site = join(folder, 'site.yaml')
  writeFileSync(site, readFileSync(SITE, 'utf8').replace(/dhcp: \w+/, 'dhcp: off'))
  const { status, err } = await pilotlight(['up', site, ...options], {
    env: { PILOTLIGHT_STATE_PATH: server.statePath },
  })
  t.match(err, /^>>> Switch these machines on now, with network boot: ctl-1 cmp-1$/m)
  t.equal(status, EXIT.waitedTooLong, err)
  t.match(err, /boot > ctl-1: failed .*the site file says dhcp: off, so its requests are not seen here/)
  t.notMatch(err, /boot > cmp-1: failed .*ctl-1/, 'no other machine is the reason')
})

t.test('up without a terminal says that machines cannot boot before it asks for one', async t => {
  const folder = t.testdir()
  const server = await testServer(t, { dataPath: ROOT, statePath: join(folder, 'server') })
  const site = join(folder, 'site.yaml')
  writeFileSync(site, readFileSync(SITE, 'utf8').replace(/^trust:.*\n(?: .*\n)*/m, ''))
  const run = await pilotlight(['up', site, ...toCluster(server.url, folder)], {
    env: { PILOTLIGHT_STATE_PATH: server.statePath },
  })
  t.match(run, { status: EXIT.refused, err: /error CANNOT_BOOT: .*\n.*DHCP is off in this server/ })
})

t.test(
  'up --approve first-boot says once that first keys are trusted unseen',
  { skip: absent('curl') },
  async t => {
    const folder = t.testdir()
    const server = await testServer(t, { dataPath: ROOT, statePath: join(folder, 'server') })
    const site = join(folder, 'site.yaml')
    writeFileSync(site, readFileSync(SITE, 'utf8').replace(/^trust:.*\n(?: .*\n)*/m, ''))
    const args = [
      'up',
      site,
      '--server',
      server.url,
      '--state',
      join(folder, 'up'),
      '--until',
      'cluster',
      '--boot-anyway',
    ]
    const env = { PILOTLIGHT_STATE_PATH: server.statePath }
    const seen = join(folder, 'seen')
    const look = `test {name} = cmp-1 || { curl --silent ${server.url}/machines/ctl-1 > '${seen}'; false; }`
    const run = await pilotlight([...args, '--approve', 'first-boot', '--power-on', look], { env })
    t.equal(policyOf(readFileSync(seen, 'utf8')), 'first-boot', 'while it runs')
    t.equal(
      policyOf(await (await server.get('/machines/ctl-1')).text()),
      'operator',
      "when it has ended, the site's own policy is there again",
    )
    t.equal(run.err.match(/trust on first use: the first key .* unseen/g)?.length, 1)
    t.notMatch((await pilotlight([...args, '--power-on', 'false'], { env })).err, /trust on first use/)
  },
)
