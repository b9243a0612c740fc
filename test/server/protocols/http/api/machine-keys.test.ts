// The keys that machines showed, over HTTP: in pages, and what is said when none waits.

import fastify from 'fastify'
import t, { type Test } from 'tap'
import { machineKeyRoutes, type MachineKeyNeeds } from '#server/protocols/http/api/machine-keys.ts'
import type { KeyState, MachineKey } from '#model/machine-key.ts'
import { pilotlight } from '../../../../cli/pilotlight.ts'
import { site, testServer } from '../../../serving.ts'

const keyOf = (machine: string, at: number, state: KeyState): MachineKey => ({
  machine,
  fingerprint: `SHA256:${at}`,
  recipient: 'age1',
  state,
  boot: 'b-0001',
  address: '10.20.0.11',
  mac: '52:54:00:20:00:01',
  why: 'an operator approves the first key of a machine here',
  seenAt: at,
})

/** The routes over these keys, which may change between requests. */
async function served(t: Test, keys: () => readonly MachineKey[]) {
  const app = fastify()
  t.teardown(() => app.close())
  const needs = {
    catalog: () => ({ machine: ({ name }: { name: string }) => ({ name }) }),
    enrolment: {
      keys: (name?: string) => keys().filter(({ machine }) => name === undefined || machine === name),
    },
    log: () => {},
  } as unknown as MachineKeyNeeds // what these routes use of it
  await app.register(machineKeyRoutes, needs)
  return async (path: string) => {
    const { statusCode, headers, body } = await app.inject(path)
    const next = /^<(.+)>; rel="next"$/.exec(String(headers.link ?? ''))?.[1]
    return { status: statusCode, next, fingerprints: statusCode === 200 ? printsIn(body) : body }
  }
}

const printsIn = (body: string) => (JSON.parse(body) as MachineKey[]).map(({ fingerprint }) => fingerprint)

t.test('keys come in pages, of one state too, and a decision between two pages loses none', async t => {
  let keys = [1, 2, 3, 4, 5, 6].map(at => keyOf(`m-${at}`, at, at % 2 === 0 ? 'pending' : 'approved'))
  const get = await served(t, () => keys)
  const all = await get('/v1/keys?limit=4')
  t.strictSame(all.fingerprints, ['SHA256:1', 'SHA256:2', 'SHA256:3', 'SHA256:4'])
  t.strictSame((await get(all.next ?? '')).fingerprints, ['SHA256:5', 'SHA256:6'])
  t.equal((await get(all.next ?? '')).next, undefined)
  const first = await get('/v1/keys?state=pending&limit=1')
  t.strictSame(first.fingerprints, ['SHA256:2'])
  t.match(first.next, /state=pending.*limit=1.*after=/)
  keys = keys.map(key => (key.fingerprint === 'SHA256:2' ? { ...key, state: 'approved' } : key))
  t.strictSame((await get(first.next ?? '')).fingerprints, ['SHA256:4'])
})

t.test('the keys of one machine come in pages', async t => {
  const get = await served(t, () => [3, 2, 1].map(at => keyOf('ctl-1', at, 'rejected')))
  const first = await get('/v1/machines/ctl-1/keys?limit=2')
  t.strictSame(first.fingerprints, ['SHA256:3', 'SHA256:2'])
  t.strictSame((await get(first.next ?? '')).fingerprints, ['SHA256:1'])
})

t.test('a limit that is not a number, or a place that is not in the list, is refused', async t => {
  const get = await served(t, () => [keyOf('ctl-1', 1, 'pending')])
  for (const path of ['/v1/keys', '/v1/machines/ctl-1/keys'])
    for (const query of ['limit=zzz', 'limit=0', 'limit=-1', 'after=nobody'])
      t.match(await get(`${path}?${query}`), { status: 400, fingerprints: /BAD_REQUEST/ }, `${path}?${query}`)
  t.equal((await get('/v1/keys?limit=1&limit=2')).status, 400)
})

t.test('the history of an object comes in pages', async t => {
  const server = await testServer(t)
  for (const at of [1, 2, 3]) {
    const put = await server.put(
      '/v1/groups/g',
      { profile: 'live', selector: { rack: `${at}` } },
      { 'if-match': '*' },
    )
    if (at === 1 && put.status === 412)
      await server.put('/v1/groups/g', { profile: 'live', selector: { rack: '1' } })
  }
  const path = '/v1/groups/g/history'
  const racksOf = async (from: string) => {
    const answer = await server.get(from)
    const { items } = (await answer.json()) as { items: { object: { selector: { rack: string } } }[] }
    const next = /^<(.+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1]
    return { racks: items.map(({ object }) => object.selector.rack), next }
  }
  t.strictSame((await racksOf(path)).racks, ['3', '2', '1'])
  const first = await racksOf(`${path}?limit=2`)
  t.strictSame(first.racks, ['3', '2'])
  t.strictSame(await racksOf(first.next ?? ''), { racks: ['1'], next: undefined })
  for (const query of ['limit=zzz', 'after=99'])
    t.equal((await server.get(`${path}?${query}`)).status, 400, query)
})

t.test('a machine of which no key waits is named with what to do', async t => {
  const server = await testServer(t)
  t.equal((await server.put('/v1/sites/rack-1', site, server.admin)).status, 200)
  const { name = '' } = site.machines[0] ?? {}
  const env = { PILOTLIGHT_STATE_PATH: server.statePath }
  const run = await pilotlight(['machines', 'approve', name, '--server', server.url], { env })
  t.match(
    run.err,
    new RegExp(`^error NO_KEY_WAITS: No key of ${name} waits for a decision\\. .*--fingerprint`),
  )
  t.match(run.err, `fix: pilotlight journal ${name}`)
})

t.test('without a token on its own host, the command line names the file that holds one', async t => {
  const server = await testServer(t)
  const run = await pilotlight(['tokens', 'create', 'x', '--server', server.url])
  t.match(run.err, /admin\.token[^]*PILOTLIGHT_TOKEN_FILE=STATE\/admin\.token .*--state-path/)
  t.notMatch(run.err, /tokens create/, 'not the command that was refused')
})

t.test('the command line opens a machine, lists it as open until its end, and closes it', async t => {
  const server = await testServer(t)
  await server.put('/v1/sites/rack-1', site)
  const env = { PILOTLIGHT_SERVER: server.url, PILOTLIGHT_TOKEN: server.admin.authorization.slice(7) }
  const line =
    /^ctl-1: its next boot is open until \S{16}Z \(by bootstrap\); .* machines reopen ctl-1 --undo$/m
  t.match(await pilotlight(['machines', 'reopen', 'ctl-1'], { env }), { status: 0, out: line })
  t.match(await pilotlight(['machines', 'pending'], { env }), { out: /^no key waits$/m })
  t.match(await pilotlight(['machines', 'pending'], { env }), { out: line })
  t.match(await pilotlight(['get', 'machines'], { env }), { out: line })
  const undo = () => pilotlight(['machines', 'reopen', 'ctl-1', '--undo'], { env })
  t.match(await undo(), { status: 0, out: 'ctl-1 is closed (bootstrap had opened it)\n' })
  t.match(await undo(), { err: /ctl-1 is not open: no one opened it/ })
  t.notMatch((await pilotlight(['get', 'machines'], { env })).out, line)
})
