// Who reads and changes what without showing anything: from another host, from the server's own, through a proxy, and
// from a page of someone else in a browser.

import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { hostname } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import fc from 'fast-check'
import { EXIT } from '#cli/exit.ts'
import { testServer, type TestServer } from '../server/serving.ts'
import { whyNoNetworks } from '../network.ts'
import { rawRequest } from './request.ts'
import { wiredServer } from './wired-server.ts'

const skip = whyNoNetworks('curl')
t.setTimeout(240_000)

/** What curl prints instead of an answer's body. */
const STATUS = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--max-time', '10']

/** Lists, journals, figures: what describes the rack, and is not needed to boot. */
const READS = [
  '/machines',
  '/machines/52:54:00:20:00:01',
  '/profiles',
  '/profiles/live',
  '/groups',
  '/groups/a',
  '/metrics',
  '/v1/openapi.json',
  '/v1/events',
  '/v1/explain?mac=52-54-00-20-00-01',
  '/v1/problems',
  '/v1/phases',
  '/v1/groups',
  '/v1/profiles/live/history',
  '/v1/templates/ipxe/boot.ipxe.njk',
  '/v1/machines/ctl-1/journal',
  '/v1/assets',
]

/** What firmware asks, and what shows that the server is alive. */
const BOOT = ['/', '/boot.ipxe', '/autoexec.ipxe', '/loaders/', '/healthz', '/readyz', '/ui/']

t.test('another host boots and reads nothing else, unless it shows a token', { skip }, async t => {
  const { url, statePath, elsewhere } = await wiredServer(t)
  for (const path of READS) t.equal(await elsewhere('curl', ...STATUS, url + path), '401', path)
  for (const path of READS)
    t.equal(await elsewhere('curl', '-I', ...STATUS, url + path), '401', `HEAD ${path}`)
  for (const path of BOOT) t.not(await elsewhere('curl', ...STATUS, url + path), '401', path)
  t.equal(await elsewhere('curl', ...STATUS, `${url}/boot.ipxe`), '200')
  t.equal(
    await elsewhere('curl', ...STATUS, `${url}/ui/page.js`),
    '200',
    'the page, which then asks for a token',
  )
  const token = readFileSync(join(statePath, 'admin.token'), 'utf8').trim()
  const bearer = ['-H', `Authorization: Bearer ${token}`]
  for (const path of ['/machines', '/profiles', '/metrics', '/v1/events']) {
    t.equal(await elsewhere('curl', ...STATUS, ...bearer, url + path), '200', path)
  }
})

t.test('the command line on another host says how to get a token, and works with one', { skip }, async t => {
  const { url, statePath, elsewhere, here } = await wiredServer(t)
  const program = join(import.meta.dirname, '../../bin/pilotlight')
  const get = `'${program}' get profiles --server ${url}`
  const refused = await elsewhere(...shell(get))
  t.match(refused, /takes a token.*\n {2}fix: .* pilotlight tokens create NAME .*export PILOTLIGHT_TOKEN=/)
  t.match(refused, `ended with ${EXIT.refused}`)
  const file = join(statePath, 'page.token')
  const create = `PILOTLIGHT_STATE_PATH='${statePath}' '${program}' tokens create page --server ${url} > '${file}'`
  t.equal(await here(...shell(create)), '')
  t.match(await elsewhere(...shell(`PILOTLIGHT_TOKEN_FILE='${file}' ${get}`)), /^live /m)
  t.match(await here(...shell(get)), /^live /m, 'on the host itself without one')
})

t.test('on its own host everything is read without a token, and nothing is changed', { skip }, async t => {
  const { url, here } = await wiredServer(t)
  for (const path of ['/machines', '/profiles', '/metrics', '/v1/groups', '/v1/problems']) {
    t.equal(await here('curl', ...STATUS, url + path), '200', path)
  }
  t.equal(await here('curl', ...STATUS, `${url}/v1/tokens`), '401', 'but for the list of tokens')
  const put = ['-X', 'PUT', '-d', '{"profile": "live"}']
  t.equal(await here('curl', ...STATUS, ...put, `${url}/v1/groups/spare`), '401')
  t.equal(await here('curl', ...STATUS, '-X', 'DELETE', `${url}/v1/profiles/live`), '401')
  const proxied = ['-H', 'X-Forwarded-For: 192.0.2.1']
  t.equal(await here('curl', ...STATUS, ...proxied, `${url}/machines`), '401', 'nor read through a proxy')
})

t.test('--private-reads asks for a token on its own host too', { skip }, async t => {
  const { url, here, elsewhere } = await wiredServer(t, ['--private-reads'])
  for (const run of [here, elsewhere]) {
    t.equal(await run('curl', ...STATUS, `${url}/machines`), '401')
    t.equal(await run('curl', ...STATUS, `${url}/boot.ipxe`), '200')
  }
})

t.test('--private-reads gives a program of the host nothing for its place, on loopback too', async t => {
  const server = await testServer(t, { privateReads: true })
  t.equal((await server.get('/machines')).status, 401)
  t.equal((await server.put('/v1/groups/a', { profile: 'live' })).status, 401)
  t.equal((await server.get('/machines', server.admin)).status, 200)
  t.equal((await server.get('/boot.ipxe')).status, 200)
})

t.test('--public-reads opens what is read, and no change', { skip }, async t => {
  const { url, elsewhere } = await wiredServer(t, ['--public-reads'])
  for (const path of ['/machines', '/profiles', '/metrics', '/v1/groups']) {
    t.equal(await elsewhere('curl', ...STATUS, url + path), '200', path)
  }
  t.equal(await elsewhere('curl', ...STATUS, `${url}/v1/tokens`), '401')
  t.equal(await elsewhere('curl', ...STATUS, '-X', 'PUT', '-d', '{}', `${url}/v1/groups/a`), '401')
})

/** Any server that is not reached from this very host learns that from a proxy: the proxy takes the part of a stranger below. */
const FORWARDED = { 'x-forwarded-for': '192.0.2.1' }

t.test('every route that is not of the boot or the page takes a token from a stranger', async t => {
  const server = await testServer(t, { address: '0.0.0.0' })
  for (const { method, path } of await routesOf(server)) {
    const { status } = await fetch(server.url + path, { method, headers: FORWARDED })
    t.equal(status, 401, `${method} ${path}`)
  }
})

t.test(
  'no way of writing a method, a path or a header gets round the token',
  { timeout: 120_000 },
  async t => {
    const server = await testServer(t, { address: '0.0.0.0' })
    const secret = 'kept-from-strangers'
    const group = { profile: secret, selector: { mac: '52:54:00:20:00:99' }, metadata: { [secret]: 'x' } }
    t.equal((await server.put(`/v1/groups/${secret}`, group, server.admin)).status, 201)
    t.equal((await server.put('/v1/profiles/p', { id: 'p', name: secret }, server.admin)).status, 201)
    const lists = [
      '/groups',
      '/profiles',
      '/v1/groups',
      '/v1/profiles',
      `/groups/${secret}`,
      '/v1/profiles/p',
    ]
    for (const path of lists) t.match(await (await server.get(path, server.admin)).text(), secret)

    const part = fc.constantFrom(
      '',
      '/',
      '//',
      '/.',
      '/./',
      '/x/..',
      '/%2e',
      '/%2F',
      '?',
      '?x=1',
      '#',
      ';x',
      '%00',
      '%20',
      ' ',
    )
    const path = fc.constantFrom(
      ...lists,
      `/v1/groups/${secret}/history`,
      '/v1/explain?mac=52-54-00-20-00-99',
      '/machines',
    )
    const encoded = fc.tuple(path, fc.nat(12)).map(([text, at]) => {
      const index = at % text.length
      return `${text.slice(0, index)}%${text.charCodeAt(index).toString(16)}${text.slice(index + 1)}`
    })
    const shape = fc.constantFrom(
      (text: string) => text,
      (text: string) => `http://127.0.0.1${text}`,
      (text: string) => `HTTP://localhost:1/${text}`,
      (text: string) => `/boot.ipxe/..${text}`,
      (text: string) => `/assets/../${text}`,
      (text: string) => `/ui/%2e%2e${text}`,
      (text: string) => `/\u00e9/..${text}`,
      (text: string) => text.toUpperCase(),
      (text: string) => text.slice(1),
    )
    const target = fc
      .tuple(part, fc.oneof(path, encoded), part, shape)
      .map(([before, text, after, shaped]) => shaped(before + text + after))
    const method = fc.constantFrom(
      'GET',
      'HEAD',
      'get',
      'OPTIONS',
      'QUERY',
      'PROPFIND',
      'SEARCH',
      'REPORT',
      'POST',
      'TRACE',
    )
    const header = fc.constantFrom(
      'X-HTTP-Method-Override: GET',
      'X-Original-URL: /groups',
      'X-Rewrite-URL: /v1/groups',
      'X-Forwarded-For: 127.0.0.1',
      'Forwarded: for=127.0.0.1;host=localhost',
      'Authorization: Bearer',
      'Authorization: Bearer null',
      'Authorization: Basic bWU6',
      'Authorization: Bearer undefined\r\nAuthorization: Basic Og==',
      'Cookie: token=x',
      'Origin: null',
      'Upgrade: h2c\r\nConnection: upgrade',
      'Accept: text/html',
    )
    const version = fc.constantFrom('HTTP/1.1', 'HTTP/1.0')
    await fc.assert(
      fc.asyncProperty(method, target, header, version, async (verb, at, more, protocol) => {
        const lines = [
          `${verb} ${at} ${protocol}`,
          'Host: localhost',
          'Via: 1.1 stranger',
          more,
          'Connection: close',
        ]
        const { text } = await rawRequest(server.url, lines)
        const told = text.replaceAll(at, '') // what was asked for may be repeated
        return !told.includes(`"${secret}"`) && !told.includes(`"id": "`)
      }),
      { numRuns: 1500 },
    )
  },
)

t.test('on loopback only objects and assets change without the token of an administrator', async t => {
  const server = await testServer(t)
  for (const { method, path } of await routesOf(server)) {
    if (method === 'GET' && path !== '/v1/tokens') continue
    const { status } = await fetch(server.url + path, { method })
    if (/^\/v1\/(groups|profiles|templates|machines|assets)\/x(\/revert)?$|^\/v1\/transactions$/.test(path)) {
      t.not(status, 401, `${method} ${path}`)
    } else t.equal(status, 401, `${method} ${path}`)
  }
  const group = { profile: 'live', selector: { mac: '52:54:00:20:00:09' } }
  t.equal((await server.put('/v1/groups/spare', group)).status, 201)
  const body = { name: 'mine', role: 'admin' }
  const refused = await server.post('/v1/tokens', body)
  t.equal(refused.status, 401)
  t.match(await refused.json(), { detail: /takes a token.* of role admin, from this host too.*admin\.token/ })
  t.equal((await server.post('/v1/tokens', body, server.admin)).status, 201)
})

t.test('loopback gives nothing to what a proxy passes on', async t => {
  const server = await testServer(t)
  const headers = [
    'Forwarded: for=192.0.2.1',
    'Via: 1.1 proxy',
    'X-Forwarded-For: ::1',
    'X-Real-IP: 127.0.0.1',
  ]
  for (const header of [...headers, 'X-Forwarded-Host: localhost', 'x-forwarded-proto: https', 'Via:']) {
    const lines = ['Host: localhost', 'Connection: close', header]
    t.match(await rawRequest(server.url, ['GET /machines HTTP/1.1', ...lines]), { status: 401 }, header)
    t.match(await rawRequest(server.url, ['DELETE /v1/groups/a HTTP/1.1', ...lines]), { status: 401 }, header)
  }
})

/** Every way in which a browser, or a program that is led astray, names a host that is not ours. */
const FOREIGN = [
  'Host: evil.example',
  'Host: evil.example:8080',
  'Host: localhost.evil.example',
  'Host: 127.0.0.1.evil.example',
  'Host: evil.example:127.0.0.1',
  'Host: localhost@evil.example',
  'Host: evil.example#localhost',
  'Host: evil.example, localhost',
  'Host: evil.example\\localhost',
  'Host: 203.0.113.9',
  'Host: [2001:db8::1]:8080',
  'Host: [::1',
  'Host: [127.0.0.1]',
  'Host: [evil.example]',
  'Host: [::1]evil.example',
  'Host: [::1%25.evil.example/]',
  'Host: xn--loclhost-6za',
  'Host: $(reboot)',
  `Host: ${'a'.repeat(9000)}`,
  'Host: :8080',
  'Host:',
  'Host: localhost\r\nHost: evil.example',
  'Host: localhost\r\nHost: localhost',
]

const OWN = [
  'Host: 127.0.0.1',
  'Host: 127.0.0.1:8080',
  'Host: 127.9.9.9',
  'Host: localhost',
  'Host: LOCALHOST:1',
  'Host: localhost.',
  'Host: [::1]:8080',
  'Host: [0:0:0:0:0:0:0:1]',
  'Host: [::ffff:127.0.0.1]',
  `Host: ${hostname().toUpperCase()}:8080`,
  'Host: boot.example.org',
  'Host: 198.51.100.7:80',
]

for (const address of ['127.0.0.1', '0.0.0.0']) {
  t.test(`a name that was pointed at ${address} reads and changes nothing`, async t => {
    const server = await testServer(t, { address, hostName: ['Boot.Example.org.', '198.51.100.7'] })
    const close = 'Connection: close'
    for (const host of FOREIGN) {
      const { status, text } = await rawRequest(server.url, ['GET /machines HTTP/1.1', host, close])
      t.equal(status, 421, host)
      t.match(text, /"title":"FOREIGN_HOST".*--host-name (NAME|evil\.example|[\w.:-]+)\./s)
      const change = ['DELETE /v1/groups/a HTTP/1.1', host, close]
      t.match(await rawRequest(server.url, change), { status: 421 }, `a change with ${host}`)
      t.match(await rawRequest(server.url, ['GET /ui/ HTTP/1.1', host, close]), { status: 421 })
      t.match(await rawRequest(server.url, ['GET /boot.ipxe HTTP/1.1', host, close]), { status: 200 })
      t.match(await rawRequest(server.url, ['GET /healthz HTTP/1.1', host, close]), { status: 200 })
    }
    for (const host of OWN) {
      t.match(await rawRequest(server.url, ['GET /machines HTTP/1.1', host, close]), { status: 200 }, host)
    }
    for (const target of [
      'http://evil.example/machines',
      'HTTPS://evil.example:1/machines',
      'a://[::2]/machines',
    ]) {
      const lines = [`GET ${target} HTTP/1.1`, 'Host: localhost', close]
      t.match(await rawRequest(server.url, lines), { status: 421 }, target)
    }
    const absolute = ['GET http://localhost/machines HTTP/1.1', 'Host: 127.0.0.1', close]
    t.match(await rawRequest(server.url, absolute), { status: 200 })
    t.match(
      await rawRequest(server.url, ['GET /machines HTTP/1.0']),
      { status: 421 },
      'HTTP/1.0 without Host',
    )
    t.match(await rawRequest(server.url, ['GET /boot.ipxe HTTP/1.0']), { status: 200 })
    const raw = ['GET /machines/caf\u00e9 HTTP/1.1', 'Host: evil.example']
    t.match(await rawRequest(server.url, raw), { status: 421 }, 'with raw bytes in the target')
  })
}

t.test('a token of someone who is led astray is not looked at under a foreign name', async t => {
  const server = await testServer(t)
  const token = `Authorization: ${server.admin.authorization}`
  const lines = ['GET /v1/tokens HTTP/1.1', 'Host: evil.example', token, 'Connection: close']
  t.match(await rawRequest(server.url, lines), { status: 421 })
})

t.test('a page of another origin on this host changes and reads nothing', async t => {
  const server = await testServer(t)
  const { host, port } = new URL(server.url)
  const origins = [
    'http://evil.example',
    'null',
    'http://localhost:1',
    `http://127.0.0.1:${Number(port) + 1}`,
  ]
  for (const origin of [...origins, `http://${host}.evil.example`]) {
    t.equal((await server.get('/machines', { origin })).status, 401, origin)
    t.equal((await server.put('/v1/groups/a', { profile: 'live' }, { origin })).status, 401, origin)
  }
  const own = { origin: `http://${host}` }
  t.equal((await server.get('/machines', own)).status, 200)
  t.equal((await server.put('/v1/groups/a', { profile: 'live' }, own)).status, 201)
})

t.test('a token of another server does no harm where none is needed, and opens nothing', async t => {
  const server = await testServer(t)
  const stray = { authorization: 'Bearer plt_of-another-server' }
  t.equal((await server.get('/machines', stray)).status, 200)
  t.equal((await server.put('/v1/sites/rack-1', {}, stray)).status, 401)
})

t.test('a browser asks for a password only where a person opened the address', async t => {
  const server = await testServer(t, { address: '0.0.0.0' })
  const challenge = async (accept: string) =>
    (await server.get('/machines', { ...FORWARDED, accept })).headers.get('www-authenticate')
  t.equal(await challenge('text/html,*/*;q=0.8'), 'Bearer realm="Pilotlight", Basic realm="Pilotlight"')
  t.equal(await challenge('application/json'), 'Bearer realm="Pilotlight"')
  const password = Buffer.from(`me:${server.admin.authorization.replace('Bearer ', '')}`).toString('base64')
  const basic = { ...FORWARDED, authorization: `Basic ${password}` }
  t.equal((await server.get('/machines', basic)).status, 200)
  t.equal((await server.put('/v1/groups/a', { profile: 'live' }, basic)).status, 401, 'which changes nothing')
})

t.test('an HTTPS listener beyond loopback takes any name, for its certificate has one', async t => {
  const server = await testServer(t, { address: '0.0.0.0', adminAddress: '0.0.0.0:0' })
  const ca = readFileSync(join(server.statePath, 'ca.crt'), 'utf8')
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { ...server.admin, host: 'boot.example.org' }
    const asked = request(`${server.adminUrl}/machines`, {
      ca,
      headers,
      agent: false,
      rejectUnauthorized: false,
    })
    asked.on('response', answer => resolve(answer.resume().statusCode)).on('error', reject)
    asked.end()
  })
  t.equal(status, 200)
})

/** A shell command far from any state directory, whose words and status are its output. */
function shell(command: string): [program: string, ...args: string[]] {
  return ['sh', '-c', `cd / && ${command} 2>&1 || echo "ended with $?"`]
}

/** All routes below /v1, as the server describes them, with `x` in the place of every name. */
async function routesOf(server: TestServer): Promise<{ method: string; path: string }[]> {
  const { paths } = (await (await server.get('/v1/openapi.json', server.admin)).json()) as {
    paths: Record<string, object>
  }
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, 'x'),
    })),
  )
  if (routes.length < 20) throw new Error(`only ${routes.length} routes are described`)
  return routes
}
