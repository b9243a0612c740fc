import t, { type Test } from 'tap'
import type { Machine } from '#model/machine.ts'
import { MachineIndex, type Identities } from '#server/machines/identity.ts'
import { Journal, journalText, type NewEvent } from '#server/machines/journal.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'

const mac = '52:54:00:20:00:01'
const machine: Machine = {
  name: 'ctl-1',
  macs: [mac, '52:54:00:20:00:0f'],
  role: 'controller',
  address: '10.20.0.11',
  labels: {},
  uuid: '4c4c4544-0000-2010-8020-b4c04f303232',
}
const nobody = new MachineIndex()

const discover: NewEvent = {
  mac,
  layer: 'dhcp',
  kind: 'discover',
  text: 'asks',
  startsBoot: true,
  detail: { client: 'pxe' },
}
const script: NewEvent = { mac, layer: 'http', kind: 'script', text: 'runs profile live' }

async function journalOf(t: Test, identities: Identities = nobody) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const clock = { now: 1000 }
  const open = () =>
    Journal.open(
      store.events,
      () => identities,
      () => clock.now,
      error => t.error(error),
    )
  return { store: store.events, clock, open, journal: await open() }
}

t.test('firmware and iPXE ask within one boot; after the script it is the next', async t => {
  const { journal } = await journalOf(t)
  const renewal: NewEvent = { ...discover, startsBoot: false, detail: { client: 'plain' } }
  const boots = [discover, discover, script, renewal, discover, discover, script]
  t.same(
    boots.map(event => journal.record(event)?.id),
    ['b-0001', 'b-0001', 'b-0001', 'b-0001', 'b-0002', 'b-0002', 'b-0001'],
  )
})

t.test('where DHCP shows nothing, the script begins the boot', async t => {
  const { journal } = await journalOf(t)
  const config: NewEvent = { ...script, kind: 'config' }
  const boots = [script, script, config, { ...script, startsBoot: true }, config, script]
  t.same(
    boots.map(event => journal.record(event)?.id),
    ['b-0001', 'b-0001', 'b-0001', 'b-0002', 'b-0002', 'b-0002'],
  )
})

t.test(
  'a boot that firmware begins is the current one once its script is fetched from its address',
  async t => {
    const { journal, open, store } = await journalOf(t)
    const address = '10.20.0.11'
    journal.record(discover)
    journal.record(script)
    journal.record({ ...script, kind: 'config' })
    t.equal(journal.record(discover)?.id, 'b-0002')
    t.match(journal.currentOf({ mac }), { id: 'b-0001', phase: 'config' }, 'a packet ends nothing')
    journal.record({ ...discover, kind: 'ack', startsBoot: false, detail: { client: 'pxe', address } })
    t.equal(
      journal.arrive({ mac }, { address: '10.20.0.99', at: 'script' })?.id,
      'b-0001',
      'of another address',
    )
    await store.eventsAfter(0, { limit: 1 })
    const restarted = await open()
    await restarted.reading({ mac })
    t.match(restarted.currentOf({ mac }), { id: 'b-0001', phase: 'config' }, 'nor does a restart')
    for (const one of [journal, restarted]) {
      t.match(one.arrive({ mac }, { address, at: 'script' }), {
        id: 'b-0002',
        phase: 'address',
        lease: address,
      })
      t.equal(one.arrive({ mac }, { address, at: 'script' })?.id, 'b-0002', 'once')
    }
    const renewal: NewEvent = { ...discover, startsBoot: false, detail: { client: 'plain', address } }
    t.equal(journal.record({ ...renewal, kind: 'ack' })?.id, 'b-0002')
    t.equal(journal.record(script)?.phase, 'script')
    t.equal(journal.record(discover)?.id, 'b-0003', 'a loader that asks again')
    t.equal(journal.arrive({ mac }, { address, at: 'config' })?.id, 'b-0002', 'goes on in its boot')
  },
)

t.test('a UUID with a foreign MAC writes into no journal but its own', async t => {
  const { journal } = await journalOf(t, new MachineIndex([machine]))
  const foreign = journal.record({ ...discover, mac: '52:54:00:66:66:66', uuid: machine.uuid ?? '' })
  t.equal(foreign?.machine, undefined)
  t.equal(journal.currentOf({ machine }), undefined)
})

t.test('all links of a machine write one journal, and declaring it does not begin another', async t => {
  const identities = new MachineIndex()
  const { journal, store } = await journalOf(t, identities)
  t.equal(journal.record(discover)?.machine, undefined)
  identities.add(machine)
  t.match(journal.record({ ...script, mac: '52:54:00:20:00:0f' }), {
    id: 'b-0001',
    machine: 'ctl-1',
    phase: 'script',
  })
  t.equal((await store.bootsOf({ machine: 'ctl-1', macs: [] }, 5)).length, 1)
})

t.test('a restart goes on with the same boots and numbers', async t => {
  const { journal, open, store } = await journalOf(t)
  journal.record(discover)
  const before = journal.record(script)
  await store.eventsAfter(0, { limit: 1 }) // a read waits for what was reported before
  const after = await open()
  await after.reading({ mac })
  t.same(after.currentOf({ mac }), before)
  t.equal(after.record({ ...script, kind: 'kernel' })?.id, 'b-0001')
  t.equal(after.record(discover)?.id, 'b-0002')
})

t.test('events of an undeclared machine wait for its boot of an earlier run, in their order', async t => {
  const { journal, open, store } = await journalOf(t)
  journal.record(discover)
  await store.eventsAfter(0, { limit: 1 })
  const after = await open()
  t.equal(after.record(script), undefined)
  t.equal(after.record({ ...script, kind: 'config' }), undefined)
  t.equal(after.record({ ...script, mac: '52:54:00:99:99:99' }), undefined, 'one that may have had one, too')
  await after.reading({ mac })
  t.match(after.currentOf({ mac }), { id: 'b-0001', phase: 'config' })
  await new Promise(setImmediate)
  t.match(after.currentOf({ mac: '52:54:00:99:99:99' }), { id: 'b-0002' })
  t.same(
    (await store.eventsOf('b-0001')).map(({ kind }) => kind),
    ['discover', 'script', 'config'],
  )
})

t.test(
  'a reader waits for events, gets them in order, and gets an empty answer when there are none',
  async t => {
    const { journal } = await journalOf(t)
    const { signal } = new AbortController()
    t.same(await journal.after(0, { limitMs: 0, signal }), [], 'who does not wait gets what is there')
    const waiting = journal.after(0, { limitMs: 10_000, signal })
    journal.record(discover)
    t.match(await waiting, [{ id: 1, kind: 'discover' }])
    const stop = new AbortController()
    const none = journal.after(1, { limitMs: 10_000, signal: stop.signal })
    stop.abort()
    t.same(await none, [])
  },
)

t.test('one boot reads as a text', async t => {
  const { journal, store, clock } = await journalOf(t, new MachineIndex([machine]))
  clock.now = Date.parse('2026-11-21T12:00:00Z')
  journal.record(discover)
  clock.now += 3240
  journal.record(script)
  t.equal(
    journalText(await store.eventsOf('b-0001')),
    'ctl-1 b-0001 2026-11-21T12:00:00.000Z\n' +
      '   0.0s dhcp discover asks\n   3.2s http script   runs profile live\n',
  )
  t.equal(journalText([]), '')
})
