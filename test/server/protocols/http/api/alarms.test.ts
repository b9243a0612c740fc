// Alarms, leases and roles over the API, with the routes alone.

import fastify from 'fastify'
import t, { type Test } from 'tap'
import type { Alarm } from '#model/alarm.ts'
import type { Lease } from '#model/lease.ts'
import { AlarmList } from '#server/alarms/alarm-list.ts'
import { alarmRoutes } from '#server/protocols/http/api/alarms.ts'
import { leaseRoutes } from '#server/protocols/http/api/leases.ts'
import { problemAnswer } from '#server/protocols/http/wire/problems.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { testServer } from '../../../serving.ts'

type Page<T> = { readonly items: readonly T[]; readonly next?: string }

t.test('open alarms are listed by severity, narrowed, and in pages', async t => {
  const { list, get } = await routesOf(t)
  for (const entity of ['machine:a', 'machine:b', 'machine:c']) {
    list.raise({ code: 'PL-7001', entity, reason: 'refused' })
    list.raise({ code: 'PL-7005', entity, reason: 'copied' })
  }
  list.raise({ code: 'PL-7003', entity: 'machine:a', reason: 'waits' })
  list.end('PL-7003', 'machine:a')
  await list.acknowledge('PL-7001:machine:b', 'ada')
  const ids = async (query: string) => {
    const { items } = (await get(`/v1/alarms${query}`)).json<Page<Alarm>>()
    return items.map(({ id }) => id.replace('PL-700', '').replace('machine:', ''))
  }
  t.strictSame(await ids(''), ['5:a', '5:b', '5:c', '1:a', '1:b', '1:c'])
  t.strictSame(await ids('?severity=major&state=active'), ['1:a', '1:c'])
  t.strictSame(await ids('?state=acknowledged'), ['1:b'])
  t.strictSame(await ids('?state=cleared'), ['3:a'])
  t.strictSame(await ids('?state=all&entity=machine:a'), ['5:a', '1:a', '3:a'])
  t.strictSame(await ids('?code=PL-7005&limit=2'), ['5:a', '5:b'])
  const first = await get('/v1/alarms?state=all&limit=4')
  const { next = '' } = first.json<Page<Alarm>>()
  t.equal(first.headers.link, `</v1/alarms?state=all&limit=4&after=${encodeURIComponent(next)}>; rel="next"`)
  t.strictSame(await ids(`?state=all&after=${next}`), ['1:b', '1:c', '3:a'])
  t.strictSame(await ids('?after=PL-7001:machine:bb'), ['1:c'], 'behind one that is gone')
  t.equal((await get('/v1/alarms?after=x')).statusCode, 400)
  t.match((await get('/v1/alarms?state=over')).json(), {
    status: 400,
    detail: /state must be .*: open, active, acknowledged, cleared, all\. /,
  })
  t.equal((await get('/v1/alarms?code=PL-1')).statusCode, 400)
  t.match((await get('/v1/alarms?severty=major')).json(), {
    status: 400,
    detail: /"severty"; this list takes severity, code,/,
  })
})

t.test('one alarm is read by its id, with times that people can read', async t => {
  const { list, get } = await routesOf(t)
  list.raise({ code: 'PL-7020', entity: 'state:/var/lib/pilot light', reason: 'the disk is full' })
  const answer = await get(`/v1/alarms/${encodeURIComponent('PL-7020:state:/var/lib/pilot light')}`)
  t.strictSame(answer.json(), {
    id: 'PL-7020:state:/var/lib/pilot light',
    code: 'PL-7020',
    severity: 'critical',
    entity: 'state:/var/lib/pilot light',
    state: 'active',
    since: '2026-11-30T00:00:00.000Z',
    lastSeen: '2026-11-30T00:00:00.000Z',
    count: 1,
    reason: 'the disk is full',
    repair: "df '/var/lib/pilot light'",
  })
  t.match((await get('/v1/alarms/PL-7020:state:x')).json(), { title: 'NOT_FOUND', status: 404 })
})

t.test('10,000 alarms are listed in pages of 1,000', async t => {
  const { list, get } = await routesOf(t)
  for (let at = 0; at < 10_000; at += 1) {
    list.raise({ code: 'PL-7001', entity: `machine:m-${at}`, reason: 'refused' })
  }
  const seen = new Set<string>()
  let pages = 0
  for (let query = ''; ; pages += 1) {
    const { items, next } = (await get(`/v1/alarms${query}`)).json<Page<Alarm>>()
    for (const { id } of items) seen.add(id)
    if (next === undefined) break
    query = `?after=${next}`
  }
  t.strictSame([seen.size, pages + 1], [10_000, 10])
})

t.test('leases are listed by address, narrowed, and in pages', async t => {
  const leases = [
    lease('10.20.0.100', { uuid: '4c4c4544-0000-2010-8020-b4c04f303232' }),
    lease('10.20.0.20', { state: 'declined' }),
    lease('10.20.0.9', { mac: '52:54:00:20:00:09' }),
  ]
  const { get } = await routesOf(t, leases)
  const addresses = async (query: string) =>
    (await get(`/v1/leases${query}`)).json<Page<Lease>>().items.map(({ address }) => address)
  t.strictSame(await addresses(''), ['10.20.0.9', '10.20.0.20', '10.20.0.100'])
  t.strictSame(await addresses('?state=declined'), ['10.20.0.20'])
  t.strictSame(await addresses('?mac=52-54-00-20-00-09'), ['10.20.0.9'])
  t.strictSame(await addresses('?after=10.20.0.15&limit=1'), ['10.20.0.20'])
  const first = await get('/v1/leases?limit=2&state=bound')
  t.notOk(first.headers.link, 'two are all')
  t.match((await get('/v1/leases?limit=2')).json(), { next: '10.20.0.20' })
  t.strictSame((await get('/v1/leases?after=10.20.0.20')).json<Page<unknown>>().items, [
    {
      address: '10.20.0.100',
      mac: '52:54:00:20:00:01',
      state: 'bound',
      expiresAt: '2026-11-30T00:00:00.000Z',
      uuid: '4c4c4544-0000-2010-8020-b4c04f303232',
    },
  ])
  t.equal((await get('/v1/leases?after=x')).statusCode, 400)
  t.equal((await get('/v1/leases?mac=x')).statusCode, 400)
  t.equal((await get('/v1/leases?address=10.20.0.9')).statusCode, 400)
})

t.test('a server lists its roles, and has no leases where DHCP is off', async t => {
  const server = await testServer(t)
  const get = (path: string) => server.get(path)
  t.match(await (await get('/v1/roles')).json(), {
    items: [{ name: 'read-only' }, { name: 'objects', givenTo: 'place' }, { name: 'admin' }],
  })
  t.strictSame(await (await get('/v1/leases')).json(), { items: [] })
  t.strictSame(await (await get('/v1/alarms?code=PL-7001')).json(), { items: [] })
})

const NOW = Date.UTC(2026, 10, 30)

function lease(address: string, more: Partial<Lease> = {}): Lease {
  return { address, mac: '52:54:00:20:00:01', state: 'bound', expiresAt: NOW, ...more }
}

async function routesOf(t: Test, leases: readonly Lease[] = []) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const list = await AlarmList.open(store.alarms, () => NOW)
  const app = fastify({ routerOptions: { maxParamLength: 4096 } })
  t.teardown(() => app.close())
  app.setErrorHandler(problemAnswer(() => {}))
  await app.register(alarmRoutes, { alarmList: list, log: () => {} })
  await app.register(leaseRoutes, { leases: () => leases })
  return { list, get: (url: string) => app.inject({ method: 'GET', url }) }
}
