import t, { type Test } from 'tap'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXIT } from '#cli/exit.ts'
import { batchesOf } from '#client/inventory.ts'
import { testServer } from '../../server/serving.ts'
import { pilotlight } from '../pilotlight.ts'

const groups = (count: number, metadata: Readonly<Record<string, unknown>> = {}) =>
  Array.from(
    { length: count },
    (_, at) => ({ kind: 'group', object: { id: `g${at}`, profile: 'p', metadata } }) as const,
  )
const sizes = (of: Parameters<typeof batchesOf>[0]) => [...batchesOf(of)].map(({ length }) => length)

t.test('many objects, and large ones, are sent in several transactions, in their order', async t => {
  t.strictSame(sizes([]), [])
  t.strictSame(sizes(groups(5001)), [5000, 1])
  t.strictSame(sizes(groups(5, { list: Array(100_000).fill(1) })), [2, 2, 1], 'by their values')
  t.strictSame(sizes(groups(5, { text: 'x'.repeat(6 << 20) })), [2, 2, 1], 'by their length')
  const ids = [...batchesOf(groups(5001))]
    .flat()
    .map(change => 'object' in change && 'id' in change.object && change.object.id)
  t.strictSame(
    ids,
    groups(5001).map(({ object }) => object.id),
  )
})

t.test('a directory that is imported is exported byte for byte', async t => {
  const layout = {
    groups: {
      'a.json':
        '{\n\t"id": "a",\n\t"profile": "p",\n\t"selector": {\n\t\t"mac": "52:54:00:20:00:01",\n\t\t"os": "installed"\n\t},\n\t"metadata": {\n\t\t"a": [\n\t\t\t1,\n\t\t\t{}\n\t\t],\n\t\t"b": "\\u003c\\u0026"\n\t}\n}',
    },
    profiles: {
      'p.json': '{\n\t"id": "p",\n\t"ignition_id": "a.ign",\n\t"boot": {},\n\t"generic_id": "g"\n}',
      sub: { 'q.json': '{\n\t"id": "sub/q",\n\t"name": "in a folder"\n}' },
    },
    ignition: { 'a.ign': '{"ignition":{"version":"3.4.0"}}' },
    generic: { g: 'any {{.text}}\n' },
    cloud: {},
  }
  const folder = t.testdir({ source: layout, empty: {} })
  const source = join(folder, 'source')
  const server = await testServer(t, { dataPath: join(folder, 'empty'), statePath: join(folder, 'state') })
  const env = { PILOTLIGHT_SERVER: server.url }
  t.match(await pilotlight(['import', source], { env }), {
    status: EXIT.done,
    out: '1 group created\n2 profiles created\n2 templates created\n',
  })
  const target = join(folder, 'copy')
  const { out } = await pilotlight(['export', target, '--json'], { env })
  t.match(JSON.parse(out), {
    apiVersion: 'pilotlight/v1',
    counts: [
      { kind: 'group', result: 'written', count: 1 },
      { kind: 'profile', result: 'written', count: 2 },
      { kind: 'template', result: 'written', count: 2 },
    ],
  })
  t.strictSame(filesBelow(target), filesBelow(source))
  t.match(await pilotlight(['export', target], { env }), { status: EXIT.refused, err: /holds files already/ })

  const profile = join(source, 'profiles/p.json')
  const first = readFileSync(profile)
  writeFileSync(profile, '{"boot": {}, "id": "p", "generic_id": "g", "ignition_id": "a.ign"}')
  t.match(await pilotlight(['import', source], { env }), { status: EXIT.done }, 'another text of the same')
  writeFileSync(profile, '{"id": "p", "boot": {}, "ignition_id": "a.ign"}')
  for (const more of [[], ['--dry-run'], ['--hide']])
    t.match(await pilotlight(['import', source, ...more], { env }), {
      status: EXIT.refused,
      err: /profile p of \S+ would replace another object of the server's store.* Nothing was written\n[^]*fix: .*pilotlight import \S+(?: --hide)? --replace\n/,
    })
  t.match(await (await server.get('/v1/profiles/p', server.admin)).json(), { generic_id: 'g' }, 'as it was')
  t.match(await pilotlight(['import', source, '--replace'], { env }), { out: /changed: profile p$/m })
  writeFileSync(profile, first)
  await pilotlight(['import', source, '--replace'], { env })

  writeFileSync(join(source, 'groups/b.json'), '{"id": "b",}')
  t.match(await pilotlight(['import', source], { env }), { status: EXIT.usage, err: /groups\/b.json:1:12: / })
  const again = await pilotlight(['import', source, '--skip-broken', '--json'], { env })
  t.match(JSON.parse(again.out), {
    dryRun: false,
    counts: [{ kind: 'group', result: 'unchanged', count: 1 }],
  })
})

const profile = (id: string, name: string) => ({ id, name, boot: {} })
const fileOf = (id: string) => JSON.stringify(profile(id, 'imported'))

t.test('what someone else puts after the import looked at the server is not replaced', async t => {
  const folder = t.testdir({
    source: { profiles: { 'p.json': fileOf('p'), 'q.json': fileOf('q') } },
    empty: {},
  })
  const source = join(folder, 'source')
  const server = await testServer(t, { dataPath: join(folder, 'empty'), statePath: join(folder, 'state') })
  const nameOf = async (id: string) =>
    ((await (await server.get(`/v1/profiles/${id}`)).json()) as { name?: string }).name
  const putName = (id: string, name: string) => server.put(`/v1/profiles/${id}`, profile(id, name))
  await putName('p', 'first')

  let between = () => putName('p', 'of another administrator')
  const url = await beforeTransactions(t, server.url, () => between())
  const run = () => pilotlight(['import', source, '--replace'], { env: { PILOTLIGHT_SERVER: url } })
  t.match(await run(), {
    status: EXIT.refused,
    err: /PRECONDITION_FAILED[^]*someone else changed profile p while[^]*Nothing was written[^]*pilotlight history profile p .*run the same again/,
  })
  t.equal(await nameOf('p'), 'of another administrator')
  t.equal((await server.get('/v1/profiles/q')).status, 404, 'all of it or nothing')
  between = () => putName('q', 'a new one')
  t.match(await run(), { status: EXIT.refused, err: /someone else changed profile q/ })
  t.strictSame([await nameOf('p'), await nameOf('q')], ['of another administrator', 'a new one'])
  between = async () => new Response()
  t.match(await run(), { status: EXIT.done, out: /changed: profile p, profile q$/m })
  t.strictSame([await nameOf('p'), await nameOf('q')], ['imported', 'imported'])
})

/** Hands all requests on to a server, and does something before each transaction that writes. Gives its URL. */
async function beforeTransactions(t: Test, to: string, act: () => Promise<unknown>): Promise<string> {
  const handOn = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = 'GET', url = '/', headers } = request
    const body = Buffer.concat(await request.toArray())
    if (method === 'POST' && url === '/v1/transactions') await act()
    const type = headers['content-type']
    const answer = await fetch(`${to}${url}`, {
      method,
      headers: { accept: headers.accept ?? '*/*', ...(type !== undefined && { 'content-type': type }) },
      ...(body.length > 0 && { body }),
    })
    const sent = ['content-type', 'etag', 'x-source'].flatMap(name => {
      const value = answer.headers.get(name)
      return value === null ? [] : [[name, value]]
    })
    response.writeHead(answer.status, Object.fromEntries(sent)).end(Buffer.from(await answer.arrayBuffer()))
  }
  const proxy = createServer((request, response) => {
    handOn(request, response).catch(() => response.destroy())
  }).listen(0, '127.0.0.1')
  t.teardown(() => proxy.close())
  await once(proxy, 'listening')
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` // of a TCP listener
}

t.test('a folder that is not a data directory is a mistake, an empty data directory is not', async t => {
  const folder = t.testdir({ other: { 'a.txt': '' }, empty: { groups: {} } })
  t.match(await pilotlight(['import', join(folder, 'other')]), {
    status: EXIT.usage,
    err: /other is not a data directory: it has none of groups profiles/,
  })
  t.match(await pilotlight(['import', join(folder, 'empty')]), {
    status: EXIT.done,
    out: 'nothing to import\n',
  })
})

/** Every file below a folder, with its bytes as text. */
function filesBelow(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(it => it.isFile())
  const files = names.map(it => join(it.parentPath, it.name)).toSorted()
  return Object.fromEntries(files.map(file => [file.slice(folder.length), readFileSync(file, 'latin1')]))
}
