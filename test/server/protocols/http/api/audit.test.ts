// The audit log over HTTP: every write leaves an entry that says who, what and with which outcome.

import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import type { AuditEntry } from '#model/audit.ts'
import { site, testServer, type TestServer } from '../../../serving.ts'

type Shown = Omit<AuditEntry, 'at'> & { readonly at: string }
type Page = { readonly items: Shown[]; readonly next?: string }

async function entries(server: TestServer, query = ''): Promise<Shown[]> {
  return ((await (await server.get(`/v1/audit${query}`, server.admin)).json()) as Page).items
}

t.test('each write has one entry, the newest first, with its versions', async t => {
  const server = await testServer(t)
  const { admin } = server
  const [from, to] = [Date.now(), () => Date.now()]
  const etag = (await server.put('/v1/groups/spare', { profile: 'live' }, admin)).headers.get('etag') ?? ''
  await server.put('/v1/groups/spare', { profile: 'live' }, admin)
  await server.put('/v1/groups/spare?dryRun=true', { profile: 'other' }, admin)
  await server.put('/v1/groups/spare', { profile: 'other' })
  await server.delete('/v1/groups/spare', admin)
  await server.put('/v1/sites/rack-1', site)
  await server.put('/v1/sites/rack-1', site)
  const all = await entries(server)
  t.match(all, [
    { action: 'site.put', entity: 'site:rack-1', summary: /^4 created/, who: 'bootstrap', by: 'token' },
    { action: 'group.delete', entity: 'group:spare', before: /^\d+$/, outcome: 'done' },
    { action: 'group.put', before: etag.replaceAll('"', ''), who: 'loopback', role: 'objects', by: 'place' },
    { action: 'group.put', entity: 'group:spare', after: etag.replaceAll('"', ''), role: 'admin' },
  ])
  t.equal(all.length, 4, 'what changed nothing, and what was only tried, has none')
  for (const { at, from: address } of all) {
    t.ok(Date.parse(at) >= from && Date.parse(at) <= to())
    t.equal(address, '127.0.0.1')
  }
  t.strictSame(
    all.map(({ id }) => id),
    all.map(({ id }) => id).toSorted((a, b) => b - a),
  )
})

t.test(
  'what a known client is refused is an entry, with the code; what a stranger is refused is not',
  async t => {
    const server = await testServer(t)
    const { admin } = server
    const made = await server.post('/v1/tokens', { name: 'viewer', role: 'read-only', days: 3 }, admin)
    const { token } = (await made.json()) as { token: string }
    const viewer = { authorization: `Bearer ${token}` }
    t.equal((await server.put('/v1/groups/spare', { profile: 'live' }, viewer)).status, 403)
    t.equal((await server.delete('/v1/groups/none', admin)).status, 404)
    t.equal((await server.post('/v1/tokens', { name: '', role: 'admin' }, admin)).status, 400)
    t.equal((await server.put('/v1/groups/x', { profile: 'a' }, { ...admin, 'if-match': '"9"' })).status, 412)
    t.equal((await server.post('/v1/tokens', { name: 'mine', role: 'admin' })).status, 401)
    const denied = { authorization: 'Bearer plt_wrong' }
    t.equal((await server.post('/v1/tokens', { name: 'mine', role: 'admin' }, denied)).status, 401)
    t.match(await entries(server), [
      { entity: 'group:x', outcome: 'refused', code: 'PRECONDITION_FAILED' },
      { action: 'token.create', outcome: 'refused', code: 'BAD_REQUEST' },
      { entity: 'group:none', outcome: 'refused', code: 'NOT_FOUND' },
      { entity: 'group:spare', who: 'viewer', role: 'read-only', outcome: 'refused', code: 'NOT_ALLOWED' },
      {
        action: 'token.create',
        entity: 'token:viewer',
        summary: 'role read-only for 3 days',
        outcome: 'done',
      },
    ])
    t.equal((await entries(server)).length, 5)
  },
)

t.test('no entry holds a secret: no token, no key, no content of a bundle', async t => {
  const server = await testServer(t)
  const { admin } = server
  await server.put('/v1/sites/rack-1', site)
  const made = (await (await server.post('/v1/tokens', { name: 'ci', role: 'admin' }, admin)).json()) as {
    token: string
  }
  const files = [{ path: '/etc/secret', mode: 384, content: 'the-content' }]
  t.equal((await server.put('/v1/machines/ctl-1/bundle', files)).status, 200)
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const authority = { signers: { kubernetes: { certificate: 'none', key } }, secrets: { a: 'the-secret' } }
  t.equal((await server.put('/v1/sites/rack-1/authority', authority, admin)).status, 400)
  const template = '{"ignition": {"version": "3.4.0"}, "the": "template"}'
  await server.put('/v1/templates/ignition/a.ign', template, admin)
  await server.put('/v1/groups/spare', { profile: 'live', metadata: { password: 'the-password' } }, admin)
  const text = JSON.stringify(await entries(server))
  t.match(text, /"machine.bundle","entity":"machine:ctl-1"/)
  t.match(text, /"site.authority","entity":"site:rack-1","outcome":"refused"/)
  const secrets = [
    made.token,
    made.token.slice(4, 20),
    'the-content',
    'the-secret',
    'the-password',
    'template"',
  ]
  for (const secret of [...secrets, 'PRIVATE', 'plt_']) t.notOk(text.includes(secret), secret)
})

t.test('the list is for administrators, is narrowed, and comes in pages', async t => {
  const server = await testServer(t)
  const { admin } = server
  for (const id of ['a', 'b', 'c']) await server.put(`/v1/groups/${id}`, { profile: 'live' }, admin)
  await server.put('/v1/groups/a', { profile: 'other' })
  t.equal((await server.get('/v1/audit')).status, 401)
  t.equal((await entries(server, '?who=loopback')).length, 1)
  t.equal((await entries(server, '?entity=group:a')).length, 2)
  const [newest] = await entries(server)
  t.same(await entries(server, `?until=${newest?.at ?? ''}&since=2020-01-01`), await before(newest?.at ?? ''))
  const first = await server.get('/v1/audit?who=bootstrap&limit=2', admin)
  t.match(first.headers.get('link'), '</v1/audit?who=bootstrap&limit=2&after=')
  const { items, next } = (await first.json()) as Page
  t.match(items, [{ entity: 'group:c' }, { entity: 'group:b' }])
  t.match(await entries(server, `?who=bootstrap&after=${next ?? ''}`), [{ entity: 'group:a' }])
  t.equal((await server.get('/v1/audit?since=yesterday', admin)).status, 400)
  t.equal((await server.get('/v1/audit?after=x', admin)).status, 400)

  async function before(at: string): Promise<Shown[]> {
    return (await entries(server)).filter(entry => entry.at < at)
  }
})

t.test('every route that writes says what the audit log calls it', async t => {
  const { url } = await testServer(t)
  const { paths } = (await (await fetch(`${url}/v1/openapi.json`)).json()) as {
    paths: Record<string, Record<string, unknown>>
  }
  const writes = Object.values(paths).flatMap(methods => Object.keys(methods).filter(one => one !== 'get'))
  t.ok(writes.length > 20, 'and the server does not start with one that does not')
})
