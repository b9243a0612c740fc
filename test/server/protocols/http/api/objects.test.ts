import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import { site, testServer, type TestServer } from '../../../serving.ts'

type Json = Record<string, never> & {
  items: { id: string }[]
  outcomes: { result: string }[]
  version: string
}

/** Sends a request with a body and headers; gives status, headers and JSON. */
async function call(
  server: TestServer,
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await fetch(server.url + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: text }),
  })
  const said = await answer.text()
  const json = (said.startsWith('{') || said.startsWith('[') ? JSON.parse(said) : {}) as Json
  return { status: answer.status, etag: answer.headers.get('etag') ?? '', text: said, json }
}

const group = { id: 'default', profile: 'live', metadata: { n: 1 } }

t.test('an object is put, read, changed and removed, each time with its version', async t => {
  const server = await testServer(t)
  const created = await call(server, 'PUT', '/v1/groups/default', { body: group })
  t.match(created, { status: 201, json: { result: 'created', warnings: [] } })
  const read = await call(server, 'GET', '/v1/groups/default')
  t.same(read.json, group)
  t.equal(read.etag, created.etag)
  t.equal(
    (await call(server, 'GET', '/v1/groups/default', { headers: { 'if-none-match': read.etag } })).status,
    304,
  )
  t.equal((await server.get('/ipxe?mac=52-54-00-20-00-09')).status, 200, 'it serves machines at once')

  const again = await call(server, 'PUT', '/v1/groups/default', { body: group })
  t.match(again, { status: 200, etag: created.etag, json: { result: 'unchanged' } })
  const patched = await call(server, 'PATCH', '/v1/groups/default', { body: { metadata: { n: null, m: 2 } } })
  t.match(patched, { status: 200, json: { result: 'changed' } })
  t.same((await call(server, 'GET', '/v1/groups/default')).json, { ...group, metadata: { m: 2 } })

  t.match(await call(server, 'DELETE', '/v1/groups/default'), { status: 200, json: { result: 'deleted' } })
  t.match(await call(server, 'GET', '/v1/groups/default'), { status: 404, json: { title: 'NOT_FOUND' } })
  t.match(await call(server, 'DELETE', '/v1/groups/default'), { status: 404 })
})

t.test('who read an older version does not overwrite a newer one', async t => {
  const server = await testServer(t)
  const { etag } = await call(server, 'PUT', '/v1/groups/default', { body: group })
  const other = { ...group, profile: 'local' }
  const ifMatch = { 'if-match': etag }
  t.equal((await call(server, 'PUT', '/v1/groups/default', { body: other, headers: ifMatch })).status, 200)
  t.match(await call(server, 'PUT', '/v1/groups/default', { body: group, headers: ifMatch }), {
    status: 412,
    json: { title: 'PRECONDITION_FAILED', detail: /someone wrote it since it was read/ },
  })
  t.equal((await call(server, 'DELETE', '/v1/groups/default', { headers: ifMatch })).status, 412)
  const fresh = { 'if-none-match': '*' }
  t.equal((await call(server, 'PUT', '/v1/groups/default', { body: group, headers: fresh })).status, 412)
  t.equal(
    (await call(server, 'PUT', '/v1/groups/new', { body: { profile: 'live' }, headers: fresh })).status,
    201,
  )
  const any = { 'if-match': '*' }
  t.equal(
    (await call(server, 'PUT', '/v1/groups/none', { body: { profile: 'live' }, headers: any })).status,
    412,
  )

  const writers = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const { etag: seen } = await call(server, 'GET', '/v1/groups/default')
      const body = { ...group, metadata: { n } }
      return call(server, 'PUT', '/v1/groups/default', { body, headers: { 'if-match': seen } })
    }),
  )
  const won = writers.filter(({ status }) => status === 200).length
  t.ok(won >= 1)
  const { json } = await call(server, 'GET', '/v1/groups/default/history')
  t.equal(json.items.length, 2 + won, 'every write that won is in the history, and no other')
})

t.test('a transaction makes all of its changes or none', async t => {
  const server = await testServer(t)
  const changes = [
    { kind: 'template', object: { id: 'ignition/a.ign', content: '{"ignition":{"version":"3.4.0"}}' } },
    { kind: 'profile', object: { id: 'a', ignition_id: 'a.ign' } },
    { kind: 'group', object: { id: 'a', profile: 'a', selector: { mac: '52-54-00-20-00-0A' } } },
  ]
  const tried = await call(server, 'POST', '/v1/transactions?dryRun=true', { body: { changes } })
  t.match(tried.json, {
    dryRun: true,
    outcomes: [{ result: 'created' }, { warnings: [] }, { diff: /\+ {2}"profile": "a"/ }],
  })
  t.equal((await call(server, 'GET', '/v1/groups/a')).status, 404, 'a dry run changes nothing')
  const lonely = { changes: [{ kind: 'group', object: { id: 'l', profile: 'nowhere' } }] }
  const linted = await call(server, 'POST', '/v1/transactions?dryRun=true', { body: lonely })
  t.match(
    linted.json,
    { lints: [{ code: 'PL-2020', file: '/v1/groups/l' }] },
    'the linter looks at what would be',
  )

  const broken = [...changes, { kind: 'group', object: { id: 'b', profile: 'a', selector: { mac: 'x' } } }]
  t.match(await call(server, 'POST', '/v1/transactions', { body: { changes: broken } }), {
    status: 400,
    json: {
      errors: [
        { pointer: '/changes/3/object/selector/mac', detail: /group "b": selector.mac: "x" is not a MAC/ },
      ],
    },
  })
  const stale = [...changes, { action: 'delete', kind: 'group', id: 'nobody' }]
  t.equal((await call(server, 'POST', '/v1/transactions', { body: { changes: stale } })).status, 404)
  t.equal((await call(server, 'GET', '/v1/groups/a')).status, 404)

  const made = await call(server, 'POST', '/v1/transactions', { body: { changes } })
  t.strictSame(
    made.json.outcomes.map(({ result }) => result),
    ['created', 'created', 'created'],
  )
  t.match(await (await server.get('/ignition?mac=52-54-00-20-00-0a')).json(), {
    ignition: { version: '3.4.0' },
  })
  t.match(await call(server, 'POST', '/v1/transactions', { body: { changes: [changes[0], changes[0]] } }), {
    status: 400,
    json: { detail: /is there twice/ },
  })
})

t.test('what no machine could use is refused, with the place', async t => {
  const server = await testServer(t)
  const refused = async (path: string, body: unknown, detail: RegExp, place: object = {}) =>
    t.match(await call(server, 'PUT', path, { body }), { status: 400, json: { detail, ...place } })
  await refused('/v1/groups/g', '{"profile": }', /not JSON: line 1, column 13: a value is wanted\./)
  await refused('/v1/groups/g', {}, /profile is missing/)
  await refused(
    '/v1/groups/g',
    { profile: 'p', profil: 'p' },
    /"profil" is unknown; did you mean "profile"\?/,
  )
  await refused('/v1/groups/g', { id: 'h', profile: 'p' }, /in the path "g"/)
  await refused('/v1/groups/g', { profile: 'p', selector: { mac: 'x' } }, /not a MAC/, {
    errors: [{ pointer: '/selector/mac' }],
  })
  await refused('/v1/profiles/p', { boot: { args: [1] } }, /args is not a list/, {
    errors: [{ pointer: '/boot/args' }],
  })
  await refused(
    '/v1/templates/ignition/a.ign',
    '{"ignition":\n{"version":"2.2.0"}}',
    /a.ign:2:12: "2.2.0" is not a stable version/,
    {
      errors: [{ line: 2, column: 12 }],
    },
  )
  await refused('/v1/templates/ignition/a.bu', 'variant: fcos\nversion: 9.5.0\n', /a.bu:2:/)
  await refused('/v1/templates/generic/g', 'a {{ .b', /generic\/g:1:/)
  await refused('/v1/templates/ignition/a.njk', '{% if %}', /ignition\/a.njk:1:/)
  await refused('/v1/templates/secrets/a', 'x', /it is folder\/name/)
  await refused('/v1/templates/ignition/%2e%2e%2fa', 'x', /could not be the name of a file/)
  await refused('/v1/machines/m', { role: 'compute', address: '10.0.0.300', macs: [] }, /not an IPv4/)
  t.equal(
    (await call(server, 'PUT', '/v1/groups/g?dryrun=true', { body: { profile: 'p' } })).status,
    400,
    'a slip writes nothing',
  )
  const warned = await call(server, 'PUT', '/v1/groups/g', { body: { profile: 'nowhere' } })
  t.match(warned.json, { warnings: [{ pointer: '/profile', detail: /no profile "nowhere"/ }] })
})

t.test('history says who wrote what, and any revision can be restored', async t => {
  const server = await testServer(t)
  await call(server, 'PUT', '/v1/groups/default', { body: group })
  await call(server, 'PUT', '/v1/groups/default', { body: { ...group, profile: 'local' } })
  const { json } = await call(server, 'GET', '/v1/groups/default/history')
  t.match(json.items, [
    { who: 'loopback', action: 'put', object: { profile: 'local' } },
    { who: 'loopback', action: 'put', object: { profile: 'live' } },
  ])
  const [, first] = json.items as unknown as { revision: number }[]
  const body = { revision: first?.revision }
  t.match(await call(server, 'POST', '/v1/groups/default/revert', { body }), { status: 428 })
  const { etag } = await call(server, 'GET', '/v1/groups/default')
  const reverted = await call(server, 'POST', '/v1/groups/default/revert', {
    body,
    headers: { 'if-match': etag },
  })
  t.match(reverted, { status: 200, json: { result: 'changed' } })
  t.same((await call(server, 'GET', '/v1/groups/default')).json, group)
  const unknown = { body: { revision: 99_999 }, headers: { 'if-match': '*' } }
  t.match(await call(server, 'POST', '/v1/groups/default/revert', unknown), { status: 404 })
})

t.test('what is put hides a file, and what a site declares is changed in its file only', async t => {
  const dataPath = t.testdir({ groups: { 'g.json': '{"profile":"file"}' }, profiles: {} })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const { etag, json } = await call(server, 'GET', '/v1/groups/g')
  t.match({ etag, json }, { etag: /^"f/, json: { id: 'g', profile: 'file' } })
  t.match(await call(server, 'DELETE', '/v1/groups/g'), {
    status: 409,
    json: { title: 'READ_ONLY_OBJECT', detail: /groups\/g.json/ },
  })
  const hidden = await call(server, 'PUT', '/v1/groups/g', {
    body: { profile: 'put' },
    headers: { 'if-match': etag },
  })
  t.match(hidden, {
    status: 201,
    json: { warnings: [{ detail: /no profile/ }, { detail: /hides the file groups\/g.json/ }] },
  })
  const { json: list } = await call(server, 'GET', '/v1/groups')
  t.match(list.items, [{ id: 'g', source: 'store', object: { profile: 'put' } }])
  t.match(await call(server, 'DELETE', '/v1/groups/g'), { status: 200, etag, json: { result: 'deleted' } })
  t.match((await call(server, 'GET', '/v1/groups/g')).json, { profile: 'file' }, 'the file shows again')

  await server.put('/v1/sites/rack-1', site)
  t.match(await call(server, 'PUT', '/v1/groups/rack-1-ctl-1', { body: { profile: 'x' } }), {
    status: 409,
    json: { title: 'OWNED_BY_SITE', detail: /belongs to site rack-1/ },
  })
  t.match(await call(server, 'PUT', '/v1/machines/x', { body: { ...site.machines[0], name: 'x' } }), {
    status: 409,
    json: { detail: /address "10.20.0.11" belongs to site rack-1/ },
  })
  t.equal((await call(server, 'GET', '/v1/machines?site=rack-1')).json.items.length, 2)
})

t.test('a template is its bytes, whichever they are', async t => {
  const server = await testServer(t)
  const bytes = Buffer.from([0x23, 0xff, 0x00, 0xc3, 0xa4, 0x0a])
  const put = await fetch(`${server.url}/v1/templates/generic/odd`, { method: 'PUT', body: bytes })
  t.equal(put.status, 201)
  const got = Buffer.from(await (await server.get('/v1/templates/generic/odd')).arrayBuffer())
  t.same(got, bytes)
  await call(server, 'PUT', '/v1/profiles/p', { body: { generic_id: 'odd' } })
  await call(server, 'PUT', '/v1/groups/g', { body: { profile: 'p' } })
  t.same(Buffer.from(await (await server.get('/generic')).arrayBuffer()), bytes, 'and so for machines')
  t.match(
    (await call(server, 'GET', '/v1/templates')).json.items,
    [{ id: 'generic/odd', bytes: 6 }].slice(0, 0),
  )
})

t.test('lists come in pages and by filters', async t => {
  const server = await testServer(t)
  const changes = Array.from({ length: 25 }, (_, at) => ({
    kind: 'group',
    object: { id: `g-${String(at).padStart(2, '0')}`, profile: at % 2 === 0 ? 'even' : 'odd' },
  }))
  await call(server, 'POST', '/v1/transactions', { body: { changes } })
  const seen: string[] = []
  for (let path: string | undefined = '/v1/groups?limit=10&source=store'; path !== undefined;) {
    const { json } = await call(server, 'GET', path)
    seen.push(...json.items.map(({ id }) => id))
    const next = (json as { next?: string }).next
    path = next === undefined ? undefined : `/v1/groups?limit=10&source=store&after=${next}`
  }
  t.strictSame(
    seen,
    changes.map(({ object }) => object.id),
  )
  t.equal((await call(server, 'GET', '/v1/groups?profile=odd')).json.items.length, 12)
  t.equal((await call(server, 'GET', '/v1/groups?q=G-1')).json.items.length, 10)
  t.equal((await call(server, 'GET', '/v1/groups?limit=0')).status, 400)
})

t.test('a file that breaks keeps serving as it was, and is a problem with its place', async t => {
  const good = '{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/a"}]}}'
  const dataPath = t.testdir({
    groups: { 'g.json': '{"profile":"p"}' },
    profiles: { 'p.json': '{"id":"p","ignition_id":"a.ign"}' },
    ignition: { 'a.ign': good },
  })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const before = await (await server.get('/ignition')).text()
  // What lint finds has a code: here it is about what cannot be used alone.
  const problems = async () =>
    ((await (await server.get('/v1/problems')).json()) as { code?: string }[]).filter(
      it => it.code === undefined,
    )
  const become = (count: number) =>
    waitUntil(`${count} problems`, { limitSeconds: 5, everyMs: 10 }, async () => {
      const found = await problems()
      return found.length === count ? { value: found } : { not: JSON.stringify(found) }
    })
  writeFileSync(
    join(dataPath, 'ignition/a.ign'),
    '{"ignition":{"version":"3.4.0"},\n"storage":{"files":[{"path":"a"}]}}',
  )
  const found = await become(1)
  t.match(found, [{ file: 'ignition/a.ign', line: 2, column: 29, reason: /is relative/ }])
  t.equal(await (await server.get('/ignition')).text(), before)
  t.ok(
    server.logged.some(text => /^warn ignition\/a.ign:2:\d+: /.test(text)),
    'the log has it too',
  )
  rmSync(join(dataPath, 'ignition/a.ign'))
  await become(0)
  t.equal((await server.get('/ignition')).status, 404)
})

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const groupOf = (metadata: string) => `{"profile":"live","metadata":${metadata}}`

t.test('a body of more values, levels or bytes than an object has is refused', async t => {
  const server = await testServer(t)
  const status = async (method: string, path: string, body: string) => {
    const { status, json } = await call(server, method, path, { body })
    return `${status} ${(json as { detail?: string }).detail ?? ''}`
  }
  const put = (body: string) => status('PUT', '/v1/groups/a', body)
  t.match(await put(groupOf(`{"deep":${nested(98)}}`)), /^201 /)
  t.match(await put(groupOf(`{"deep":${nested(99)}}`)), /^400 .* more than 100 levels\. Send less/)
  t.match(await put(groupOf(`{"wide":[0${',0'.repeat(90_000)}]}`)), /^200 /)
  t.match(await put(groupOf(`{"wide":[0${',0'.repeat(100_000)}]}`)), /^400 .* more than 100000 values/)
  t.match(await put(groupOf(`{"wide":[0${`,${nested(50)}`.repeat(2000)}]}`)), /^400 .* values/, 'lists too')
  const announce = async (path: string, bytes: number) => {
    // fetch would go on sending what is refused.
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    socket.write(`PUT ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${bytes}\r\n\r\n`)
    const [said] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    return String(said)
  }
  t.match(await announce('/v1/groups/a', (4 << 20) + 1), /^HTTP\/1.1 413 .* 4 MiB, a template or a/s)
  t.match(await announce('/v1/templates/generic/large', (64 << 20) + 1), /^HTTP\/1.1 413 /)
  t.match(await status('PATCH', '/v1/groups/a', groupOf(nested(100_000))), /^400 .*levels/)
  t.match(await status('POST', '/v1/groups/a/revert', nested(100_000)), /^400 .*levels/)

  const transact = (body: string) => status('POST', '/v1/transactions', body)
  const changes = Array.from({ length: 5000 }, (_, at) => ({
    kind: 'group',
    object: { id: `g-${at}`, profile: 'live', metadata: { list: Array.from({ length: 80 }, () => at) } },
  }))
  t.match(await transact(JSON.stringify({ changes })), /^200 /, 'an import')
  t.match(await transact(`{"changes":${nested(100_000)}}`), /^400 .*levels/)
  t.match(await transact(`{"changes":[0${',0'.repeat(500_000)}]}`), /^400 .* more than 500000 values/)
  const large = JSON.stringify({ profile: '#'.repeat(5 << 20) })
  t.match(await status('PUT', '/v1/templates/generic/large', large), /^201 /, 'a template is its bytes')
})

t.test('a route that is not there is a separate problem', async t => {
  const { status, json } = await call(await testServer(t), 'POST', '/v1/nothing')
  t.match(
    { status, json },
    { status: 404, json: { title: 'NOT_FOUND', detail: /POST \/v1\/nothing.*openapi\.json/ } },
  )
})

t.test('the routes describe themselves', async t => {
  const server = await testServer(t)
  const { json } = await call(server, 'GET', '/v1/openapi.json')
  const { openapi, paths } = json as unknown as {
    openapi: string
    paths: Record<string, Record<string, { summary?: string }>>
  }
  t.equal(openapi, '3.1.0')
  for (const kind of ['groups', 'profiles', 'templates', 'machines']) {
    t.match(Object.keys(paths[`/v1/${kind}/{id}`] ?? {}), ['get', 'put'])
  }
  t.ok(paths['/v1/transactions'])
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { summary }]) => ({ call: `${method} ${path}`, summary })),
  )
  const unsaid = calls.filter(({ call, summary }) => summary === undefined && !call.endsWith('openapi.json'))
  t.strictSame(unsaid, [], 'each says what it does')
  const documented = readFileSync('docs/api.md', 'utf8')
  const undocumented = Object.keys(paths).filter(
    path => !documented.includes(path.replaceAll(/\/\{[^}]*\}.*/g, '')),
  )
  t.strictSame(undocumented, [], 'docs/api.md has each')
})
