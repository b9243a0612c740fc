import { createHash } from 'node:crypto'
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sleep, waitUntil } from '#progress/wait.ts'
import { testServer } from '../../../serving.ts'

t.setTimeout(120_000)

const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex')
const base64 = (text: string, algorithm = 'sha256') => createHash(algorithm).update(text).digest('base64')

async function withAssets(t: Test, settings = {}) {
  const root = t.testdir({ assets: { old: 'by hand' }, outside: { secret: 'not for you' } })
  const assetsPath = join(root, 'assets')
  const server = await testServer(t, { assetsPath, statePath: join(root, 'state'), ...settings })
  const call = async (method: string, path: string, body?: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(server.url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    })
    const said = await answer.text()
    const json = said.startsWith('{') ? (JSON.parse(said) as Record<string, never>) : {}
    return { status: answer.status, headers: Object.fromEntries(answer.headers), said, json }
  }
  return { server, assetsPath, call }
}

t.test('an upload is served at once, with its length, in parts, and under conditions', async t => {
  const { call, server } = await withAssets(t)
  const created = await call('PUT', '/v1/assets/live/vmlinuz', 'kernel')
  t.match(created, {
    status: 201,
    headers: { etag: `"${sha256('kernel')}"`, location: '/v1/assets/live/vmlinuz' },
    json: { name: 'live/vmlinuz', size: 6, sha256: sha256('kernel'), result: 'created' },
  })
  t.match(await call('HEAD', '/assets/live/vmlinuz'), {
    status: 200,
    headers: { 'content-length': '6' },
    said: '',
  })
  const whole = await call('GET', '/assets/live/vmlinuz')
  t.match(whole, { status: 200, said: 'kernel', headers: { 'content-type': /text\/plain/ } })
  const etag = whole.headers.etag ?? ''
  const part = await call('GET', '/assets/live/vmlinuz', undefined, { range: 'bytes=1-3', 'if-range': etag })
  t.match(part, { status: 206, said: 'ern', headers: { 'content-range': 'bytes 1-3/6' } })
  t.equal((await call('GET', '/assets/live/vmlinuz', undefined, { 'if-none-match': etag })).status, 304)

  t.match(await call('PUT', '/v1/assets/live/vmlinuz', 'kernel'), {
    status: 200,
    json: { result: 'unchanged' },
  })
  t.match(await call('PUT', '/v1/assets/live/vmlinuz', 'newer'), { status: 200, json: { result: 'changed' } })
  const stale = await call('GET', '/assets/live/vmlinuz', undefined, { range: 'bytes=1-3', 'if-range': etag })
  t.match(stale, { status: 200, said: 'newer' }, 'a download that was under way begins again')

  t.match((await call('GET', '/v1/assets')).json, {
    items: [
      { name: 'live/vmlinuz', sha256: sha256('newer') },
      { name: 'old', size: 7, sha256: undefined },
    ],
  })
  const one = await call('GET', '/v1/assets/live/vmlinuz')
  t.match(one, { status: 200, json: { size: 5 }, headers: { etag: `"${sha256('newer')}"` } })
  const seen = { 'if-none-match': one.headers.etag ?? '' }
  t.equal((await call('GET', '/v1/assets/live/vmlinuz', undefined, seen)).status, 304)
  t.match(await call('DELETE', '/v1/assets/live/vmlinuz'), { status: 200, json: { result: 'deleted' } })
  t.match(await call('DELETE', '/v1/assets/live/vmlinuz'), { status: 404, json: { title: 'NOT_FOUND' } })
  t.equal((await server.get('/assets/live/vmlinuz')).status, 404)
})

t.test('what is not what was announced is refused, and nothing of it is kept', async t => {
  const { call, assetsPath } = await withAssets(t)
  const digests = {
    'repr-digest': `sha-256=:${base64('text')}:, sha-512=:${base64('text', 'sha512')}:, md5=:AAAA:`,
    'x-sha256': sha256('text'),
  }
  t.equal((await call('PUT', '/v1/assets/good', 'text', digests)).status, 201)
  for (const [key, value] of Object.entries(digests)) {
    t.match(await call('PUT', '/v1/assets/bad', 'other', { [key]: value }), {
      status: 422,
      json: { title: 'DIGEST_MISMATCH', detail: /Nothing was kept/ },
    })
  }
  for (const headers of [
    { 'repr-digest': 'sha-256=abc' },
    { 'x-sha256': 'ab' },
    { 'content-range': 'bytes 0-1/5' },
  ]) {
    t.equal(
      (await call('PUT', '/v1/assets/bad', 'x', headers as unknown as Record<string, string>)).status,
      400,
    )
  }
  t.notOk(existsSync(join(assetsPath, 'bad')))
})

t.test('a client overwrites only what it has seen', async t => {
  const { call } = await withAssets(t)
  const fresh = { 'if-none-match': '*' }
  t.equal((await call('PUT', '/v1/assets/a', 'one', fresh)).status, 201)
  t.match(await call('PUT', '/v1/assets/a', 'two', fresh), {
    status: 412,
    json: { title: 'PRECONDITION_FAILED' },
  })
  t.equal((await call('PUT', '/v1/assets/a', 'two', { 'if-match': `"${sha256('zero')}"` })).status, 412)
  t.equal((await call('PUT', '/v1/assets/a', 'two', { 'if-match': `"${sha256('one')}"` })).status, 200)
  t.equal((await call('PUT', '/v1/assets/none', 'x', { 'if-match': '*' })).status, 412)
  t.equal((await call('DELETE', '/v1/assets/a', undefined, { 'if-match': `"${sha256('one')}"` })).status, 412)
  const racers = await Promise.all(
    Array.from({ length: 8 }, (_, n) => call('PUT', '/v1/assets/race', `racer ${n}`, fresh)),
  )
  t.equal(racers.filter(({ status }) => status === 201).length, 1)
})

t.test("no client reaches the store's own folder or what is outside", async t => {
  const { call, assetsPath, server } = await withAssets(t)
  await call('PUT', '/v1/assets/a', 'text')
  symlinkSync('../outside', join(assetsPath, 'out'))
  symlinkSync('.pilotlight', join(assetsPath, 'own'))
  const digest = sha256('text')
  const blob = `sha256/${digest.slice(0, 2)}/${digest}`
  for (const path of [
    '.pilotlight',
    '.pilotlight/',
    `.pilotlight/${blob}`,
    `own/${blob}`,
    'own/',
    'out/secret',
  ]) {
    t.equal((await server.get(`/assets/${path}`)).status, 404, path)
  }
  t.notMatch(await (await server.get('/assets/')).text(), /pilotlight/)
  for (const name of ['out/x', '.pilotlight/x', '%2e%2e/x', 'a%2f..%2f..%2fx', 'a%00', '']) {
    const { status } = await call('PUT', `/v1/assets/${name}`, 'x')
    t.match(String(status), /^40[04]$/, `PUT ${name}`)
  }
  t.equal((await call('PUT', '/v1/assets/a/b', 'x')).status, 409)
  t.notMatch(server.logged.join('\n'), /^error/m)
})

t.test('an upload takes its time, but one that stops is closed, and its bytes are dropped', async t => {
  const limits = { headersMs: 1000, requestMs: 400, keepAliveMs: 1000, idleMs: 1500, checkMs: 50 }
  const { server, assetsPath } = await withAssets(t, { limits })
  const slow = request(`${server.url}/v1/assets/slow`, { method: 'PUT' })
  const answered = new Promise<number>((resolve, reject) => {
    slow.once('response', answer => resolve(answer.resume().statusCode ?? 0))
    slow.once('error', reject)
  })
  for (let piece = 0; piece < 8; piece += 1) {
    slow.write('x'.repeat(1000))
    await sleep(150)
  }
  slow.end()
  t.equal(await answered, 201, 'three times the limit of other bodies')
  t.equal(readFileSync(join(assetsPath, 'slow')).length, 8000)

  const stalled = request(`${server.url}/v1/assets/stalled`, {
    method: 'PUT',
    headers: { 'content-length': 5000 },
  })
  const ended = new Promise(resolve => stalled.once('close', resolve))
  stalled.once('error', () => {})
  stalled.write('half')
  await ended
  await waitUntil('its bytes are gone', { limitSeconds: 5, everyMs: 20 }, async () => {
    const { AssetStore } = await import('#server/assets/asset-store.ts')
    const { readdirSync } = await import('node:fs')
    const left = readdirSync(join(assetsPath, '.pilotlight/incoming'))
    const names = (await new AssetStore(assetsPath).list()).map(({ name }) => name)
    return left.length === 0 && !names.includes('stalled') ? { value: true } : { not: left.join() }
  })
})

t.test('uploads take the role of an administrator, and a server without a directory says so', async t => {
  const { call, server } = await withAssets(t)
  const page = { origin: 'http://elsewhere.example' }
  t.equal((await call('PUT', '/v1/assets/a', 'x', page)).status, 401, "another site's page")
  const { paths } = (await (await server.get('/v1/openapi.json')).json()) as { paths: Record<string, object> }
  t.match(paths, { '/v1/assets': { get: {} }, '/v1/assets/{id}': { get: {}, put: {}, delete: {} } })
  const bare = await testServer(t, { statePath: join(t.testdirName, 'bare'), assetsPath: '' })
  t.match(await (await bare.get('/v1/assets')).json(), { title: 'NOT_FOUND', detail: /--assets-path/ })
})
