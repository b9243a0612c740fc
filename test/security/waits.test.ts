// Nothing waits for an operator without an end: a reboot that is held, and a machine that is open.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { cacheDirectory } from '#host/artefacts.ts'
import { findArtefact } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { ignitionRecipe } from '#images/go-tools.ts'
import type { SiteObjects } from '#model/site.ts'
import { waitUntil } from '#progress/wait.ts'
import { machineKey } from '../machine-key.ts'
import { passMinutes } from '../pass-minutes.ts'
import { site, testServer } from '../server/serving.ts'
import { absent, skipFile } from '../absent.ts'

skipFile(t, absent('curl'))

t.setTimeout(120_000) // a busy machine takes its time

/** The program of the live image, where it was built. */
const ignition = await findArtefact(ignitionRecipe, cacheDirectory()).then(
  found => found && join(found.path, 'ignition'),
)
const noIgnition =
  process.getuid?.() !== 0 || ignition === undefined
    ? 'needs root and built images: pilotlight images'
    : false

const MAC = '52-54-00-20-00-01'

/** A server with a machine that boots, and what its agent and its operator do. */
async function booting(t: Test, objects: SiteObjects = site) {
  const dataPath = t.testdir({
    profiles: { 'controller.json': '{"id":"controller","ignition_id":"a.ign.njk","boot":{"kernel":"/k"}}' },
    ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
  })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  await server.put('/v1/sites/rack-1', objects)
  await server.put('/v1/machines/ctl-1/bundle', { files: [], requests: [], secrets: [] })
  const boot = async () => {
    await server.get(`/ipxe?mac=${MAC}`)
    const { token } = (await (await server.get(`/ignition?mac=${MAC}`)).json()) as { token: string }
    return token
  }
  const agent = async (route: string, token: string, body: object) => {
    const words = ['--silent', '--cacert', join(server.statePath, 'ca.crt'), '--write-out', '\n%{http_code}']
    const headers = [`Authorization: Bearer ${token}`, 'Content-Type: application/json']
    const sent = [...headers.flatMap(header => ['--header', header]), '--data', JSON.stringify(body)]
    const output = route === 'bundle' ? ['--output', '/dev/null'] : []
    const argv = [...words, ...sent, ...output, `${server.agentUrl}/agent/v1/${route}`]
    const { stdout } = await run('curl', argv, { limitSeconds: 20 })
    const end = stdout.lastIndexOf('\n')
    return { status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) }
  }
  return { server, dataPath, boot, agent }
}

/** A server whose machine ctl-1 was ready, and boots again. */
async function rebooting(t: Test) {
  const { server, dataPath, boot, agent } = await booting(t)
  const token = await boot()
  const key = await machineKey()
  await agent('enroll', token, { key: key.recipient })
  await server.post('/v1/machines/ctl-1/approve', {}, server.admin)
  const enrolled = await agent('enroll', token, { key: key.recipient })
  const { challenge } = JSON.parse(enrolled.text) as { challenge: string }
  t.equal((await agent('bundle', token, { answer: await key.open(challenge) })).status, 200)
  t.equal((await agent('report', token, { stage: 'ready' })).status, 204)
  const script = await (await server.get(`/ipxe?mac=${MAC}`)).text()
  const config = () => server.get(`/ignition?mac=${MAC}`)
  const journal = async () => (await server.get('/v1/machines/ctl-1/journal')).text()
  return { server, dataPath, script, config, journal }
}

t.test('a held reboot says on the screen why, and which command opens it', async t => {
  const { script } = await rebooting(t)
  t.match(
    script,
    /^#!ipxe\necho ctl-1 was ready in boot b-0001 and boots by firmware again; .*pilotlight machines reopen ctl-1\n.*kernel/s,
  )
})

t.test(
  'Ignition asks again while a reboot is held, and stops at the deadline',
  { skip: noIgnition },
  async t => {
    const { server, dataPath } = await rebooting(t)
    const cmdline = `ignition.firstboot ignition.platform.id=metal ignition.config.url=${server.url}/ignition?mac=${MAC}`
    const program = `mount -t tmpfs none /run && mkdir /run/ignition && echo '${cmdline}' > /run/cmdline &&
    mount --bind /run/cmdline /proc/cmdline &&
    exec ${ignition} --root=${join(dataPath, 'root')} --platform=metal --stage=fetch --log-to-stdout`
    const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', program])
    t.teardown(() => child.kill('SIGKILL'))
    const ended = once(child, 'close')
    let said = ''
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()))
    await waitUntil('it asks again', { limitSeconds: 20, everyMs: 50 }, async () =>
      /attempt #3/.test(said) ? { value: true } : { not: said },
    )
    passMinutes(t, 61)
    t.match(await ended, [1])
    t.match(said, /Service Unavailable[^]*GET result: Forbidden[^]*Ignition failed: failed to fetch resource/)
  },
)

t.test('a reboot that no operator opens in time is refused, so that the machine stops', async t => {
  const { server, config, journal } = await rebooting(t)
  t.equal((await config()).status, 503)
  passMinutes(t, 59)
  t.equal((await config()).status, 503, 'Ignition asks again')
  passMinutes(t, 2)
  const late = await config()
  t.equal(late.status, 403, 'Ignition stops')
  const why =
    /no operator opened it within 60 minutes, and its boot ends here\. If that is the machine: {2}pilotlight machines reopen ctl-1 {2}and switch it off and on\./
  t.match(await late.text(), why)
  t.match(await journal(), new RegExp(` held .*${why.source}`))
  t.match(
    await (await server.get('/metrics', server.admin)).text(),
    /^pilotlight_alarms_total\{kind="held"\} \d/m,
  )
  await server.get(`/ipxe?mac=${MAC}`)
  await server.post('/v1/machines/ctl-1/reopen', {}, server.admin)
  t.equal((await config()).status, 200, 'an operator may still open it')
})

t.test('a machine that was opened is closed when its time is over, and its journal says so', async t => {
  const { server, config, journal } = await rebooting(t)
  t.equal((await server.post('/v1/machines/ctl-1/reopen', {}, server.admin)).status, 200)
  passMinutes(t, 61)
  t.equal((await config()).status, 403)
  t.strictSame(await (await server.get('/v1/reopened')).json(), [])
  const closed = await waitUntil('the event', { limitSeconds: 30, everyMs: 200 }, async () => {
    const text = await journal()
    return text.includes(' closed ') ? { value: text } : { not: 'it is not closed on disk' }
  })
  t.match(
    closed,
    /closed +ctl-1 is closed: bootstrap opened it, and no boot got its bundle within 60 minutes/,
  )
})

t.test(
  'a key that no operator approves within the deadline of its site is refused, with the command',
  async t => {
    const trust = { level: 'L2', approve: 'operator', reboot: 'approve', deadlineMinutes: 5 } as const
    const machines = site.machines.map(machine => ({ ...machine, trust }))
    const { server, boot, agent } = await booting(t, { ...site, machines })
    const token = await boot()
    const { recipient } = await machineKey()
    const enroll = () => agent('enroll', token, { key: recipient })
    t.equal((await enroll()).status, 202)
    passMinutes(t, 4)
    t.equal((await enroll()).status, 202, 'it asks again')
    passMinutes(t, 2)
    const late = await enroll()
    t.equal(late.status, 403)
    t.match(late.text, /APPROVAL_TOO_LATE.*within 5 minutes.*pilotlight machines pending/s)
    t.match(
      await (await server.get('/v1/machines/ctl-1/journal')).text(),
      / held .*No operator approved the key of ctl-1 within 5 minutes.*pilotlight machines pending/,
    )
    const later = { key: (await machineKey()).recipient }
    t.equal((await agent('enroll', token, later)).status, 202, 'another key waits for itself')
  },
)
