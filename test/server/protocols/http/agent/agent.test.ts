// The agents' routes of a running server, as the agent on a machine calls them.

import t from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import { machineKey, type TestKey } from '../../../../machine-key.ts'
import { site, testServer, type TestServer } from '../../../serving.ts'
import { absent, skipFile } from '../../../../absent.ts'

skipFile(t, absent('curl'))

const files = [{ path: '/etc/kubernetes/pki/ca.key', mode: 0o600, content: 'secret\n' }]

/** Calls the agent side with real curl, which trusts nothing but our authority. */
async function curl(server: TestServer, route: string, token: string, ...more: string[]): Promise<string> {
  const args = ['--silent', '--cacert', join(server.statePath, 'ca.crt'), '-X', 'POST', '-w', '%{http_code}']
  const header = ['-H', `Authorization: Bearer ${token}`]
  const all = [...args, ...header, ...more, `${server.agentUrl}/agent/v1/${route}`]
  return (await run('curl', all, { limitSeconds: 10 })).stdout
}

const json = ['-H', 'content-type: application/json', '-d']

/** Enrolls a key and fetches the bundle, as the agent does; gives the status, and the tar where there is one. */
async function bundle(server: TestServer, token: string, key: TestKey): Promise<[string, Uint8Array?]> {
  const enrolled = await curl(server, 'enroll', token, ...json, JSON.stringify({ key: key.recipient }))
  if (!enrolled.endsWith('200')) return [enrolled]
  const { challenge } = JSON.parse(enrolled.slice(0, -3)) as { challenge: string }
  const sealed = join(server.statePath, 'bundle.age')
  const asked = JSON.stringify({ answer: await key.open(challenge) })
  const status = await curl(server, 'bundle', token, ...json, asked, '-o', sealed)
  return status === '200' ? [status, await key.openBytes(readFileSync(sealed))] : [status]
}

/** An operator approves what waits: where DHCP shows no lease, as here, no policy does. */
async function approve(server: TestServer): Promise<void> {
  const answer = await server.post('/v1/machines/ctl-1/approve', {}, server.admin)
  if (answer.status !== 200) throw new Error(await answer.text())
}

/** Boots as far as the Ignition config, and gives the token in it. */
async function tokenOf(server: TestServer, mac: string): Promise<string> {
  await server.get(`/ipxe?mac=${mac}`)
  const config = (await (await server.get(`/ignition?mac=${mac}`)).json()) as { token: string }
  return config.token
}

async function serverWithTokens(t: Parameters<typeof testServer>[0]): Promise<TestServer> {
  const dataPath = t.testdir({
    profiles: { 'controller.json': '{"id":"controller","ignition_id":"a.ign.njk","boot":{"kernel":"/k"}}' },
    ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
  })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  await server.put('/v1/sites/rack-1', site)
  return server
}

t.test('a machine fetches its bundle once, by TLS, sealed to its key, and reports', async t => {
  const server = await serverWithTokens(t)
  const token = await tokenOf(server, '52-54-00-20-00-01')
  t.match(token, /^[\w-]{43}$/)
  const key = await machineKey()
  t.match(await bundle(server, token, key), [/There is no bundle for ctl-1 yet.*503$/s], 'and may ask again')
  t.equal((await server.put('/v1/machines/ctl-1/bundle', files)).status, 200)
  t.match(await bundle(server, token, key), [/"waiting".*approve ctl-1 --fingerprint SHA256:.*202$/s])
  await approve(server)
  const [status, tar = new Uint8Array()] = await bundle(server, token, key)
  t.equal(status, '200')
  const listed = await run('tar', ['-t'], { limitSeconds: 10, input: Buffer.from(tar) })
  t.match(listed.stdout, 'etc/kubernetes/pki/ca.key')

  t.match(await bundle(server, token, key), [/fetched in this boot before.*409$/s])
  const report = JSON.stringify({ stage: 'failed', text: 'kubelet did not start', log: 'line 1\nline 2' })
  t.equal(await curl(server, 'report', token, ...json, report), '204')
  t.match(await (await server.get('/machines/ctl-1')).json(), { phase: 'failed' })
  t.equal(await curl(server, 'report', token, ...json, JSON.stringify({ stage: 'ready' })), '204')
  t.match(await (await server.get('/machines/ctl-1')).json(), { phase: 'ready' })

  const { events } = (await (await server.get('/v1/events?machine=ctl-1')).json()) as {
    events: { kind: string }[]
  }
  const kinds = events.map(({ kind }) => kind)
  t.same(kinds, ['script', 'config', 'held', 'approved', 'bundle', 'replayed', 'failed', 'ready'])
})

t.test('an agent that reports without end is answered 429', async t => {
  const server = await serverWithTokens(t)
  const token = await tokenOf(server, '52-54-00-20-00-01')
  const report = JSON.stringify({ stage: 'booted', text: 'again', log: 'x'.repeat(60_000) })
  const answers: string[] = []
  for (let at = 0; at < 22; at += 1)
    answers.push(await curl(server, 'report', token, '-H', 'content-type: application/json', '-d', report))
  t.equal(answers[0], '204')
  t.match(answers.at(-1), /too many reports\. Send the next in \d+ s.*429$/s)
  const { events } = (await (await server.get('/v1/events?machine=ctl-1')).json()) as {
    events: { kind: string; detail: { log?: string } }[]
  }
  const logs = events.filter(({ kind }) => kind === 'booted').map(({ detail }) => detail.log?.length ?? 0)
  t.equal(logs.filter(bytes => bytes > 1000).length, 4, 'logs are left out after 256 KB')
})

t.test('a token of an earlier boot, or an unknown one, opens nothing', async t => {
  const server = await serverWithTokens(t)
  await server.put('/v1/machines/ctl-1/bundle', files)
  const before = await tokenOf(server, '52-54-00-20-00-01')
  const now = await tokenOf(server, '52-54-00-20-00-01')
  const key = await machineKey()
  t.match(await bundle(server, 'guessed', key), [/401$/])
  t.match(await bundle(server, now, key), [/202$/])
  await approve(server)
  t.match(await bundle(server, now, key), ['200'])
  t.match(await bundle(server, before, key), [/is of boot b-0001; this is boot b-0002.*403$/s])
})

t.test('tokens are kept as hashes, keys are private, and restarts keep the authority', async t => {
  const server = await serverWithTokens(t)
  const token = await tokenOf(server, '52-54-00-20-00-01')
  const ca = readFileSync(join(server.statePath, 'ca.crt'), 'utf8')
  await server.close()
  t.notOk(readFileSync(join(server.statePath, 'pilotlight.db')).includes(token))
  const { stdout } = await run('stat', ['-c', '%a', 'ca.key', 'agent.key', 'pilotlight.db', '.'], {
    limitSeconds: 5,
    cwd: server.statePath,
  })
  t.equal(stdout, '600\n600\n600\n700\n')
  const again = await testServer(t, { dataPath: join(server.statePath, '..'), statePath: server.statePath })
  await again.put('/v1/machines/ctl-1/bundle', files)
  t.equal(readFileSync(join(again.statePath, 'ca.crt'), 'utf8'), ca)
  const key = await machineKey()
  t.match(await bundle(again, token, key), [/202$/], 'the token outlives a restart')
  await approve(again)
  t.match(await bundle(again, token, key), ['200'])
})

t.test('openssl accepts the chain', async t => {
  const server = await serverWithTokens(t)
  const verify = ['verify', '-x509_strict', '-verify_ip', '127.0.0.1', '-purpose', 'sslserver']
  const args = [...verify, '-CAfile', 'ca.crt', 'agent.crt']
  t.match((await run('openssl', args, { limitSeconds: 10, cwd: server.statePath })).stdout, 'agent.crt: OK')
})
