// Alarms that begin or end by themselves: what raises and what ends each.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Alarm, AlarmCode } from '#model/alarm.ts'
import type { MachineKey } from '#model/machine-key.ts'
import type { Machine } from '#model/machine.ts'
import { waitUntil } from '#progress/wait.ts'
import type { Order } from '#model/install.ts'
import { alarmEndings } from '#server/agent/alarm-endings.ts'
import { AlarmList } from '#server/alarms/alarm-list.ts'
import { look, type Watched } from '#server/alarms/conditions.ts'
import { serverConditions, type ServerStates } from '#server/alarms/server-conditions.ts'
import { alarmEndings as diskEndings } from '#server/disks/alarm-endings.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { testServer } from '../serving.ts'

const NONE: Watched = { conditions: [], endings: [], isDeclared: () => true }

t.test('a state of the server is an alarm while it lasts, once, with its latest reason', async t => {
  const { list } = await opened(t)
  const states: { -readonly [Key in keyof ServerStates]: ServerStates[Key] } = {
    statePath: '/var/lib/pilotlight',
    trouble: () => undefined,
    dataPath: '/srv/data',
    problems: () => [],
    loadersPath: '/usr/lib/ipxe',
    missingLoaders: [],
    otherDhcp: () => ({}),
  }
  const looked = async () => {
    await look(list, { ...NONE, conditions: serverConditions(states) })
    return [...list.all()]
      .filter(({ state }) => state !== 'cleared')
      .map(({ code, reason }) => `${code} ${reason}`)
  }
  t.same(await looked(), [])
  states.trouble = () => ({ kind: 'disk', reason: 'the disk of the state directory is full' })
  t.same(await looked(), ['PL-7020 the disk of the state directory is full: nothing can be changed'])
  await looked()
  t.equal(list.get('PL-7020:state:/var/lib/pilotlight').count, 1, 'looking is not raising')
  t.equal(list.get('PL-7020:state:/var/lib/pilotlight').repair, 'df /var/lib/pilotlight')
  states.trouble = () => ({ kind: 'store', reason: 'the store is damaged' })
  t.same(await looked(), ['PL-7021 the store is damaged: nothing can be changed'])
  states.trouble = () => undefined
  states.problems = () => ['groups/a.json:1:2: not JSON', 'groups/b.json: gone']
  t.same(await looked(), ['PL-7022 groups/a.json:1:2: not JSON (and 1 more)'])
  states.problems = () => ['groups/b.json: gone']
  t.same(await looked(), ['PL-7022 groups/b.json: gone'])
  t.equal(list.get('PL-7022:data:/srv/data').count, 2)
  states.problems = () => []
  states.missingLoaders = ['ipxe.efi: no such file']
  t.same(await looked(), ['PL-7023 ipxe.efi: no such file'])
  states.missingLoaders = []
  t.same(await looked(), [])
})

t.test('an alarm stays acknowledged while its condition lasts', async t => {
  const { list } = await opened(t)
  await look(list, watched('full'))
  await list.acknowledge('PL-7020:state:/s', 'ada')
  await look(list, watched('read-only'))
  t.match(list.get('PL-7020:state:/s'), { state: 'acknowledged', reason: 'read-only' })
})

const machine: Machine = { name: 'ctl-1', macs: [], role: 'controller', address: '10.20.0.11', labels: {} }

t.test('a machine that is held waits until an operator decides, or until it has its bundle', async t => {
  const key: MachineKey = {
    machine: 'ctl-1',
    fingerprint: 'SHA256:a',
    recipient: 'age1a',
    state: 'pending',
    boot: 'b-0001',
    address: '10.20.0.11',
    mac: '52:54:00:20:00:01',
    why: 'it is the first',
    seenAt: 1000,
  }
  const boot = { machine: 'ctl-1', boot: 'b-0001', tokens: 1, proven: true }
  const token = { hash: 'a', machine: 'ctl-1', boot: 'b-0001', until: 9000 }
  const ends: Record<string, (store: SqliteStore) => Promise<unknown>> = {
    'its key is approved': store =>
      store.machines.change('ctl-1', it => it.putKey({ ...key, state: 'approved', decidedAt: 5000 })),
    'its key is rejected': store =>
      store.machines.change('ctl-1', it => it.putKey({ ...key, state: 'rejected', decidedAt: 5000 })),
    'it is opened': store =>
      store.machines.change('ctl-1', it =>
        it.reopen({ machine: 'ctl-1', at: 5000, until: 9000, who: 'ada' }),
      ),
    'it has its bundle': store =>
      store.machines.change('ctl-1', it => {
        it.addToken(token, boot)
        it.spend('b-0001', 5000, { token: 'a', key: 'age1a', fingerprint: 'SHA256:a' })
      }),
  }
  for (const [what, change] of Object.entries(ends)) {
    const { list, store, clock, alarm } = await raisedIn(t, 'PL-7003')
    await store.machines.change('ctl-1', it => {
      it.putKey(key)
      it.putKey({ ...key, fingerprint: 'SHA256:old', state: 'rejected', decidedAt: 3999 })
    })
    const endings = alarmEndings({
      store: store.machines,
      machineOf: () => machine,
      now: () => clock.at,
    })
    await look(list, { ...NONE, endings })
    t.equal(alarm().state, 'active', 'an earlier decision is not about it')
    await change(store)
    await look(list, { ...NONE, endings })
    t.equal(alarm().state, 'cleared', what)
    clock.at = 6000
    list.raise({ code: 'PL-7003', entity: 'machine:ctl-1', reason: 'held again' })
    await look(list, { ...NONE, endings })
    t.equal(alarm().state, 'active', 'held again after that')
  }
})

t.test('signers that end soon are an alarm until the controller has later ones', async t => {
  const { list, store, alarm } = await raisedIn(t, 'PL-7008')
  const DAY_MS = 86_400_000
  const endings = alarmEndings({
    store: store.machines,
    machineOf: () => machine,
    now: () => 0,
  })
  const until = (days: number) =>
    store.machines.change('ctl-1', it => it.putSigning({ site: 'rack-1', until: days * DAY_MS }))
  await until(29)
  await look(list, { ...NONE, endings })
  t.equal(alarm().state, 'active')
  await until(90)
  await look(list, { ...NONE, endings })
  t.equal(alarm().state, 'cleared')
})

t.test(
  'an upgrade that failed is an alarm until it is ordered again, taken back or done after all',
  async t => {
    const { list, alarm } = await raisedIn(t, 'PL-7010')
    const order = { machine: 'ctl-1', verb: 'upgrade', at: 1, until: 2, who: 'ada', target: 'v' } as const
    let now: Order | undefined = { ...order, state: 'failed' }
    const endings = diskEndings({ orderOf: name => (name === 'ctl-1' ? now : undefined) })
    await look(list, { ...NONE, endings })
    t.equal(alarm().state, 'active')
    for (const state of ['ordered', 'done', undefined] as const) {
      now = state && { ...order, state }
      await look(list, { ...NONE, endings })
      t.equal(alarm().state, 'cleared', state ?? 'taken back')
      list.raise({ code: 'PL-7010', entity: 'machine:ctl-1', reason: 'again' })
      now = { ...order, state: 'failed' }
      await look(list, { ...NONE, endings })
      t.equal(alarm().state, 'active')
    }
  },
)

t.test('alarms about a machine that was removed are over, and no others', async t => {
  const { list, alarm } = await raisedIn(t, 'PL-7005')
  list.raise({ code: 'PL-7007', entity: 'pool:10.20.0.100', reason: 'full' })
  await look(list, { ...NONE, isDeclared: name => name === 'ctl-1' })
  t.equal(alarm().state, 'active')
  await look(list, { ...NONE, isDeclared: () => false })
  t.equal(alarm().state, 'cleared')
  t.equal(list.get('PL-7007:pool:10.20.0.100').state, 'active')
})

t.test('what is raised while its end is looked for stays open', async t => {
  const { list, clock, alarm } = await raisedIn(t, 'PL-7003')
  const isOver = async () => {
    clock.at += 1
    list.raise({ code: 'PL-7003', entity: 'machine:ctl-1', reason: 'held once more' })
    return true
  }
  await look(list, { ...NONE, endings: [{ code: 'PL-7003', judge: () => isOver }] })
  t.equal(alarm().state, 'active')
})

t.test('a look at many alarms gives way to all else', async t => {
  const { list } = await opened(t)
  for (let at = 0; at < 1000; at += 1) {
    list.raise({ code: 'PL-7003', entity: `machine:m-${at}`, reason: 'held' })
  }
  let [judges, turns, isLooking] = [0, 0, true]
  const count = () => {
    turns += 1
    if (isLooking) setImmediate(count)
  }
  setImmediate(count)
  const judge = () => {
    judges += 1
    return () => Promise.resolve(false) // as a read of the store, which is done at once
  }
  const endings = (['PL-7003', 'PL-7008'] as const).map(code => ({ code, judge }))
  await look(list, { ...NONE, endings })
  isLooking = false
  t.ok(turns >= 20, `others had ${turns} turns`)
  t.equal(judges, 1, 'what is the same for all is read once, and only for what is open')
})

t.test('a server raises what is wrong with its data directory, and clears it once it is fixed', async t => {
  const folder = t.testdir({ data: { groups: { 'a.json': '{' } } })
  const dataPath = join(folder, 'data')
  const server = await testServer(t, { dataPath, statePath: join(folder, 'state') })
  const id = `PL-7022:data:${dataPath}`
  const path = `/v1/alarms/${encodeURIComponent(id)}`
  const now = async () => (await (await server.get(path)).json()) as Omit<Alarm, 'since'>
  t.match(await now(), { state: 'active', reason: /^groups\/a\.json:1:/, repair: /^pilotlight lint / })
  t.equal((await server.post(`${path}/acknowledge`, {})).status, 401, 'it takes the role admin')
  const known = await server.post(`${path}/acknowledge`, {}, server.admin)
  t.match(await known.json(), { state: 'acknowledged', acknowledged: { who: 'bootstrap', at: /Z$/ } })
  t.equal((await server.post(`${path}/acknowledge`, {}, server.admin)).status, 200, 'it is already')
  const { items } = (await (await server.get('/v1/audit', server.admin)).json()) as { items: object[] }
  t.equal(items.length, 1, 'what changed nothing leaves no entry')
  t.match(items, [{ action: 'alarm.acknowledge', entity: `alarm:${id}`, who: 'bootstrap' }])

  rmSync(join(dataPath, 'groups/a.json'))
  writeFileSync(join(dataPath, 'groups/b.json'), '{"id": "b", "profile": "live"}')
  await waitUntil('the alarm is cleared', { limitSeconds: 30, everyMs: 200 }, async () => {
    const { state, cleared } = await now()
    return state === 'cleared' ? { value: cleared } : { not: state }
  })
  t.match(await (await server.post(`${path}/clear`, {}, server.admin)).json(), { state: 'cleared' })
})

function watched(reason: string): Watched {
  return { ...NONE, conditions: [{ code: 'PL-7020', find: () => ({ 'state:/s': reason }) }] }
}

async function opened(t: Test) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const clock = { at: 4000 }
  return { list: await AlarmList.open(store.alarms, () => clock.at), store, clock }
}

async function raisedIn(t: Test, code: AlarmCode) {
  const all = await opened(t)
  all.list.raise({ code, entity: 'machine:ctl-1', reason: 'raised' })
  return { ...all, alarm: () => all.list.get(`${code}:machine:ctl-1`) }
}
