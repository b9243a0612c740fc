// Access roles against a running server: tokens, what each role may do, and how a token ends.

import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import type { GivenSettings } from '#server/config.ts'
import { waitUntil } from '#progress/wait.ts'
import { site, testServer, type TestServer } from '../serving.ts'
import { testAuthority, type Issued } from './authority.ts'

/** A server that others could reach. */
const open = (t: Test, settings: Partial<GivenSettings> = {}) =>
  testServer(t, { address: '0.0.0.0', ...settings })

/** Shows no token where `put` would. */
const nobody = { authorization: '' }
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const adminToken = ({ statePath }: TestServer) => readFileSync(join(statePath, 'admin.token'), 'utf8').trim()

/** Makes a token over the API, as an administrator does. */
async function tokenOf(server: TestServer, given: object): Promise<string> {
  const answer = await server.post('/v1/tokens', given, bearer(adminToken(server)))
  t.equal(answer.status, 201)
  return ((await answer.json()) as { token: string }).token
}

t.test('beyond loopback a change takes a token of role admin', async t => {
  const server = await open(t)
  t.equal((await server.get('/ipxe?mac=52-54-00-20-00-77')).status, 404)
  const refused = await server.put('/v1/sites/rack-1', site, nobody)
  t.equal(refused.status, 401)
  t.match(refused.headers.get('www-authenticate'), 'Bearer')
  t.match(await refused.json(), { title: 'NOT_AUTHENTICATED', detail: /admin\.token/ })
  t.equal((await server.put('/v1/sites/rack-1', site, bearer(adminToken(server)))).status, 200)
  t.equal((await server.put('/v1/sites/rack-1', site, bearer('plt_nothing'))).status, 401)
  t.equal((await server.put('/v1/groups/spare', { profile: 'live' }, nobody)).status, 401)
})

t.test('a token of role read-only changes nothing, and sees no tokens', async t => {
  const server = await open(t)
  const reader = await tokenOf(server, { name: 'dashboard', role: 'read-only' })
  t.equal((await server.get('/machines', bearer(reader))).status, 200)
  const refused = await server.put('/v1/sites/rack-1', site, bearer(reader))
  t.equal(refused.status, 403)
  t.match(await refused.json(), { title: 'NOT_ALLOWED', detail: /"dashboard" has the role read-only/ })
  const group = await server.put('/v1/groups/spare', { profile: 'live' }, bearer(reader))
  t.match(
    await group.json(),
    { title: 'NOT_ALLOWED', detail: /takes admin\./ },
    'it names a role that a token can have',
  )
  t.equal((await server.get('/v1/tokens', bearer(reader))).status, 403)
  t.equal((await server.get('/v1/tokens')).status, 401)
})

t.test('a token ends when it is revoked, or its time is over', async t => {
  const server = await open(t)
  const admin = bearer(adminToken(server))
  const kept = await tokenOf(server, { name: 'ci', role: 'admin' })
  const short = await tokenOf(server, { name: 'short', role: 'admin', days: 1e-9 })
  t.equal((await server.put('/v1/sites/rack-1', site, bearer(kept))).status, 200)
  t.equal((await server.put('/v1/sites/rack-1', site, bearer(short))).status, 401)
  t.equal((await server.delete('/v1/tokens/ci', admin)).status, 204)
  t.equal((await server.put('/v1/sites/rack-1', site, bearer(kept))).status, 401)
  t.equal((await server.delete('/v1/tokens/ci', admin)).status, 404)
  t.equal((await server.post('/v1/tokens', { name: 'short', role: 'admin' }, admin)).status, 409, 'taken')
  t.equal((await server.post('/v1/tokens', { name: '../x', role: 'admin' }, admin)).status, 400)
})

t.test(
  'only hashes are kept, the first token is in a private file, and a restart changes neither',
  async t => {
    const server = await open(t)
    const token = adminToken(server)
    const kept = readFileSync(join(server.statePath, 'tokens.json'), 'utf8')
    t.notMatch(kept, token)
    for (const file of ['tokens.json', 'admin.token']) {
      t.equal(statSync(join(server.statePath, file)).mode & 0o777, 0o600)
    }
    t.notMatch(server.logged.join('\n'), token)
    await server.close()
    const again = await open(t, { statePath: server.statePath })
    t.equal(adminToken(again), token)
    t.equal((await again.delete('/v1/tokens/bootstrap', bearer(token))).status, 204)
    t.notOk(
      statSync(join(server.statePath, 'admin.token'), { throwIfNoEntry: false }),
      'it goes with its token',
    )
  },
)

t.test('administration on a separate listener is not on the boot listener', async t => {
  const server = await open(t, { adminAddress: '127.0.0.1:0' })
  t.equal((await server.get('/boot.ipxe')).status, 200)
  t.equal((await server.get('/healthz')).status, 200)
  for (const path of ['/machines', '/v1/events', '/metrics', '/ui/']) {
    t.equal((await server.get(path)).status, 404, path)
  }
  const ca = readFileSync(join(server.statePath, 'ca.crt'), 'utf8')
  t.equal(await statusOf(`${server.adminUrl}/machines`, { ca }), 200)
  t.equal(await statusOf(`${server.adminUrl}/boot.ipxe`, { ca }), 404)
})

t.test('a client certificate says who asks, and its organisation what they may do', async t => {
  const authority = await testAuthority(join(t.testdir(), 'tls'))
  const { caFile, ca } = authority
  const { certFile, keyFile } = await authority.issue('server')
  const issue = (name: string, subject: string) => authority.issue(name, { subject })
  const admin = await issue('ann', 'CN=ann, O=pilotlight:admin')
  const reader = await issue('ron', 'CN=ron, O=pilotlight:read-only, O=pilotlight:admin')
  const plain = await issue('pat', 'CN=pat')
  const stranger = await (await testAuthority(join(t.testdirName, 'other'))).issue('x', { subject: 'CN=ann' })
  const settings = { adminAddress: '0.0.0.0:0', certFile, keyFile, caFile, certificateRole: 'none' }
  const server = await open(t, { ...settings, statePath: join(t.testdirName, 'state') })
  const put = (who?: Issued) =>
    statusOf(`${server.adminUrl}/v1/sites/rack-1`, { ca, ...who, method: 'PUT', body: JSON.stringify(site) })
  t.equal(await put(admin), 200)
  t.equal(await put(reader), 403, 'the lesser role counts')
  t.equal(await put(plain), 403, 'one without a role has none here')
  t.equal(await put(stranger), 401, 'one by another authority is anonymous')
  t.equal(await put(), 401)
  const token = bearer(adminToken(server))
  const byToken = { ca, ...reader, method: 'PUT', body: JSON.stringify(site), headers: token }
  t.equal(await statusOf(`${server.adminUrl}/v1/sites/rack-1`, byToken), 200, 'a token weighs more')
})

t.test('certificates are taken over while the server runs, and a broken one is not', async t => {
  const directory = join(t.testdir(), 'tls')
  const first = await testAuthority(directory)
  const { caFile } = first
  const { certFile, keyFile } = await first.issue('server', { subject: 'CN=first' })
  const client = await first.issue('client', { subject: 'CN=client, O=pilotlight:admin' })
  const settings = { adminAddress: '0.0.0.0:0', rpcAddress: '0.0.0.0:0', certFile, keyFile, caFile }
  const server = await open(t, { ...settings, statePath: join(t.testdirName, 'state') })
  const ports = [Number(new URL(server.adminUrl).port), server.rpcPort]
  const shown = () => Promise.all(ports.map(port => subjectShown(port, client)))
  t.same(await shown(), ['first', 'first'])

  writeFileSync(keyFile, 'no key')
  await waitUntil('the log reports it', { limitSeconds: 10, everyMs: 50 }, async () =>
    server.logged.some(line => line.includes('cannot be used')) ? { value: true } : { not: 'nothing logged' },
  )
  t.same(await shown(), ['first', 'first'], 'what is broken changes nothing')

  await first.issue('server', { subject: 'CN=second' })
  await waitUntil('both show the second', { limitSeconds: 10, everyMs: 50 }, async () => {
    const names = await shown()
    return names.every(name => name === 'second') ? { value: true } : { not: names.join() }
  })

  const url = `${server.adminUrl}/v1/tokens`
  t.equal(await statusOf(url, { ...client, ca: first.ca, insecure: true }), 200)
  await testAuthority(directory) // another authority, in the same file
  server.reload()
  t.equal(
    await statusOf(url, { ...client, ca: first.ca, insecure: true }),
    401,
    'its clients are anonymous now',
  )
})

/** What a request is made with. */
type Asked = {
  readonly ca: string
  readonly cert?: string
  readonly key?: string
  readonly method?: string
  readonly body?: string
  readonly headers?: Record<string, string>
  /** Trusts any certificate that the server shows. */
  readonly insecure?: boolean
}

async function statusOf(url: string, { ca, cert, key, method = 'GET', body, headers, insecure }: Asked) {
  const asked = request(url, {
    ca,
    method,
    agent: false,
    rejectUnauthorized: insecure !== true,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  })
  asked.end(body)
  const [answer] = (await once(asked, 'response')) as [import('node:http').IncomingMessage]
  answer.resume()
  return answer.statusCode
}

/** The common name of the certificate that a port shows. */
async function subjectShown(port: number, { cert, key }: Issued): Promise<string> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    cert,
    key,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2', 'http/1.1'],
  })
  await once(socket, 'secureConnect')
  const { subject } = socket.getPeerCertificate()
  socket.destroy()
  return String(subject.CN)
}
