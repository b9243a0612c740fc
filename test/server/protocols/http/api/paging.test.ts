// Long lists in pages: by curl with `limit` and `after`, by the command line as a whole.

import t from 'tap'
import { ServerClient } from '#client/server.ts'
import { site, testServer } from '../../../serving.ts'

const machines = Array.from({ length: 2500 }, (_, at) => ({
  name: `m-${at}`,
  macs: [
    `52:54:00:00:${(at >> 8).toString(16).padStart(2, '0')}:${(at & 255).toString(16).padStart(2, '0')}`,
  ],
  role: 'compute',
  address: `10.20.${1 + (at >> 8)}.${at & 255}`,
  labels: {},
}))
const groups = machines.map(({ name, macs }) => ({ id: name, profile: 'live', selector: { mac: macs[0] } }))
const network = { ...site.network, subnet: '10.20.0.0/16' }

t.test('a list of thousands comes in pages, each machine once, undeclared ones last', async t => {
  const server = await testServer(t)
  t.equal((await server.put('/v1/sites/rack-1', { ...site, network, machines, groups })).status, 200)
  for (const mac of ['02-00-00-00-00-02', '02-00-00-00-00-01']) await server.get(`/ipxe?mac=${mac}`)
  const first = await server.get('/machines')
  t.equal(((await first.json()) as unknown[]).length, 1000)
  t.equal(first.headers.get('link'), '</machines?after=m-999>; rel="next"')

  const ids: string[] = []
  let pages = 0
  for (let path: string | undefined = '/machines?limit=700'; path !== undefined; pages += 1) {
    const page: Response = await server.get(path)
    ids.push(...((await page.json()) as { id: string }[]).map(({ id }) => id))
    path = /^<(.+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1]
  }
  t.same(ids, [...machines.map(({ name }) => name), '02:00:00:00:00:01', '02:00:00:00:00:02'])
  t.equal(pages, 4)

  const client = new ServerClient(server.url)
  t.equal((await client.machines()).length, 2502, 'the command line follows the pages')
  t.equal((await client.list('/groups')).length, 2500)
  const { items } = (await (await server.get('/v1/machines?limit=10000')).json()) as { items: unknown[] }
  t.equal(items.length, 1000)
})

t.test(
  'a page behind a MAC that is forgotten goes on; behind anything else that is not there it is refused',
  async t => {
    const server = await testServer(t)
    await server.put('/v1/sites/rack-1', site)
    await server.get('/ipxe?mac=02-00-00-00-00-02')
    const rest = await (await server.get('/machines?after=02:00:00:00:00:01')).json()
    t.match(rest, [{ id: '02:00:00:00:00:02', declared: false }])
    t.same(await (await server.get('/machines?after=02:00:00:00:00:03')).json(), [])
    for (const path of [
      '/machines?after=gone',
      '/groups?after=gone',
      '/profiles?after=gone',
      '/machines?limit=0',
    ])
      t.equal((await server.get(path)).status, 400, path)
  },
)

t.test('a short list comes whole', async t => {
  const server = await testServer(t)
  await server.put('/v1/sites/rack-1', site)
  const answer = await server.get('/machines')
  t.equal(answer.headers.get('link'), null)
  t.match(await answer.json(), [{ id: 'ctl-1' }, { id: 'cmp-1' }])
})
