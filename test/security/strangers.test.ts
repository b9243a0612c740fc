// Findings 6 and 11: undeclared machines leave little, and reports of one boot are bounded.

import t, { type Test } from 'tap'
import { AlarmList } from '#server/alarms/alarm-list.ts'
import { Alarms } from '#server/machines/alarms.ts'
import { LeaseTable } from '#server/protocols/dhcp/leases.ts'
import { MachineIndex } from '#server/machines/identity.ts'
import { Journal, type NewEvent } from '#server/machines/journal.ts'
import type { Machine } from '#model/machine.ts'
import { Reports } from '#server/agent/reports.ts'
import { SqliteStore } from '#server/store/sqlite.ts'
import { JOURNAL_LIMITS, StrangerBoots, type JournalLimits } from '#server/machines/stranger-boots.ts'
import { controller } from '../controller.ts'

t.setTimeout(120_000) // a busy machine takes its time

const identities = new MachineIndex([controller])

const macOf = (at: number) =>
  `02:00:00:00:${[at >> 8, at & 255].map(byte => byte.toString(16).padStart(2, '0')).join(':')}`
const discover = (mac: string): NewEvent => ({
  mac,
  layer: 'dhcp',
  kind: 'discover',
  text: 'asks',
  startsBoot: true,
})
const never = new AbortController().signal

function journalOf(t: Test, limits: Partial<JournalLimits> = {}) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const clock = { now: 0 }
  const refused: string[] = []
  const open = () =>
    new Journal(
      store,
      () => identities,
      () => clock.now,
      error => t.error(error),
      {
        strangers: new StrangerBoots({ ...JOURNAL_LIMITS, ...limits }, () => clock.now),
        refuse: reason => void refused.push(reason),
      },
    )
  const macs = () => new Set(store.eventsAfter(0, { limit: 100_000 }).map(({ mac }) => mac))
  return { store, clock, open, journal: open(), refused, macs }
}

t.test('keeps the newest undeclared machines, in memory and in the store', async t => {
  const { store, journal, macs } = journalOf(t, { strangers: 100 })
  journal.record(discover(controller.macs[0]!))
  for (let at = 0; at < 1000; at += 1) journal.record(discover(macOf(at)))
  t.equal(journal.all().length, 101)
  t.ok(journal.currentOf({ machine: controller }), 'and the declared one')
  t.ok(journal.currentOf({ mac: macOf(999) }))
  store.eventsAfter(0, { limit: 1 }) // what waits is on disk
  store.eventsAfter(0, { limit: 1 })
  const kept = macs()
  t.ok(kept.size >= 101 && kept.size <= 101 + 64, `${kept.size} in the store`)
  t.ok(kept.has(controller.macs[0]!) && kept.has(macOf(999)) && !kept.has(macOf(0)))
})

t.test('keeps no more bytes of them than are allowed', async t => {
  const { journal } = journalOf(t, { strangerBytes: 50_000 })
  for (let at = 0; at < 1000; at += 1) journal.record({ ...discover(macOf(at)), text: 'x'.repeat(290) })
  t.ok(journal.all().length < 120, `${journal.all().length} are left`)
})

t.test('takes a rack of 2,000 new machines at once, and few of a flood', async t => {
  const { journal, clock, refused } = journalOf(t)
  for (let at = 0; at < 10_000; at += 1) journal.record(discover(macOf(at)))
  t.equal(journal.all().length, 2000)
  t.equal(refused.filter(reason => reason === 'journal_new').length, 8000)
  clock.now += 1000
  for (let at = 10_000; at < 11_000; at += 1) journal.record(discover(macOf(at)))
  t.equal(journal.all().length, 2200)
})

t.test('keeps few events of one machine, and always those that took a token', async t => {
  const { store, journal, clock, refused } = journalOf(t)
  for (let at = 0; at < 5000; at += 1) journal.record(discover(macOf(1)))
  for (let at = 0; at < 5000; at += 1) journal.record(discover(controller.macs[0]!))
  t.equal(store.eventsAfter(0, { machine: macOf(1), limit: 10_000 }).length, 200)
  t.equal(store.eventsAfter(0, { machine: 'ctl-1', limit: 10_000 }).length, 2000)
  t.equal(refused.length, 4800 + 3000)
  const ready = journal.record({ mac: controller.macs[0]!, layer: 'os', kind: 'ready', text: 'runs' })
  t.equal(store.eventsAfter(0, { machine: 'ctl-1', limit: 10_000 }).at(-1)?.kind, 'ready')
  t.equal(ready.phase, 'ready')
  clock.now += 60_000
  journal.record(discover(macOf(1)))
  t.equal(store.eventsAfter(0, { machine: macOf(1), limit: 10_000 }).length, 201, 'later there is room again')
})

t.test('a restart reads no undeclared machine before it is asked for', async t => {
  const { store, journal, open } = journalOf(t)
  for (let at = 0; at < 1500; at += 1) journal.record(discover(macOf(at)))
  journal.record({ mac: macOf(7), layer: 'http', kind: 'script', text: 'runs live' })
  store.eventsAfter(0, { limit: 1 })
  let reads = 0
  const eventsOfBoots = store.eventsOfBoots.bind(store)
  const eventsOf = store.eventsOf.bind(store)
  store.eventsOfBoots = boots => {
    reads += 1
    return eventsOfBoots(boots)
  }
  store.eventsOf = boot => {
    reads += 1
    return eventsOf(boot)
  }
  const restarted = open()
  t.equal(reads, 0)
  t.match(restarted.currentOf({ mac: macOf(7) }), { phase: 'script' }, 'but then as it was')
  reads = 0
  await restarted.resumeStrangers(never)
  t.equal(restarted.all().length, 1500)
  t.ok(reads <= 1 + 1500 / 200, `${reads} queries`)
})

t.test('a restart removes what an earlier version kept beyond that', async t => {
  const { store, journal, open, macs } = journalOf(t, { strangers: 100 })
  const before = new Journal(
    store,
    () => identities,
    () => 0,
    error => t.error(error),
    { strangers: new StrangerBoots({ ...JOURNAL_LIMITS, newStrangers: { perSecond: 1, burst: 10_000 } }) },
  )
  t.equal(journal.all().length, 0)
  before.record(discover(controller.macs[0]!))
  for (let at = 0; at < 1500; at += 1) before.record(discover(macOf(at)))
  t.equal(macs().size, 1501)
  await open().resumeStrangers(never)
  const kept = macs()
  t.ok(kept.size <= 101 + 200, `${kept.size} in the store`)
  t.ok(kept.has(controller.macs[0]!) && kept.has(macOf(1499)) && !kept.has(macOf(0)))
})

t.test('a UUID with MACs at random makes no machine of each', async t => {
  const byUuid: Machine = {
    ...controller,
    name: 'cmp-1',
    macs: [],
    uuid: '5a0e7f00-0020-4000-8000-000000000002',
  }
  const all = new MachineIndex([byUuid])
  const { store, clock } = journalOf(t)
  const journal = new Journal(
    store,
    () => all,
    () => clock.now,
    error => t.error(error),
  )
  const uuid = byUuid.uuid ?? ''
  const ack = { layer: 'dhcp', kind: 'ack', detail: { client: 'ipxe', address: '10.20.0.12' } } as const
  journal.record({ ...discover(macOf(0)), uuid })
  journal.record({ ...discover(macOf(0)), ...ack, startsBoot: false, uuid })
  for (let at = 1; at < 3000; at += 1) journal.record({ ...discover(macOf(at)), uuid })
  t.match(journal.record({ mac: macOf(0), layer: 'tftp', kind: 'read', text: 'reads' }), { machine: 'cmp-1' })
  for (let at = 3000; at < 6000; at += 1) {
    journal.record({ ...discover(macOf(at)), ...ack, startsBoot: false, uuid })
    journal.record({ mac: macOf(at), machine: 'cmp-1', layer: 'http', kind: 'script', text: 'runs live' })
  }
  t.equal(journal.all().length, 1)
  const known = Array.from({ length: 6000 }, (_, at) => journal.currentOf({ mac: macOf(at) }))
  t.ok(known.filter(boot => boot !== undefined).length <= 8, 'and few of the MACs are known')
})

t.test('forgets the lease of a MAC whose address another client now has', async t => {
  const table = new LeaseTable()
  for (let at = 0; at < 10_000; at += 1) {
    const lease = { address: '10.20.0.12', mac: macOf(at), state: 'bound', expiresAt: 1 } as const
    table.apply([{ kind: 'put', lease }])
  }
  t.ok(table.remembered <= 1003, `${table.remembered} are remembered`)
})

t.test('a flood of refusals and packets hides no intruder', async t => {
  const { store, journal, clock } = journalOf(t)
  const mac = controller.macs[0]!
  const whose = { mac, machine: controller.name, layer: 'http' } as const
  const list = await AlarmList.open(store.alarms, () => clock.now)
  const alarms = new Alarms({ journal, list, count: () => {}, log: () => {}, clock: () => clock.now })
  for (let at = 0; at < 2500; at += 1) {
    alarms.raise({ ...whose, kind: 'refused', reason: 'the UUID', text: `the UUID ${at} is not its own` })
  }
  t.match([...list.all()], [{ id: 'PL-7001:machine:ctl-1', count: 2500 }], 'one alarm that counts them')
  const written = () => store.eventsAfter(0, { machine: 'ctl-1', limit: 10_000 })
  t.equal(written().length, 1, 'one alarm a minute for one reason')
  for (let at = 0; at < 2500; at += 1) {
    journal.record(discover(mac))
    journal.record({ ...whose, kind: 'refused', text: `${at}` })
    journal.record({ ...whose, kind: 'kernel', text: `${at}` })
  }
  for (const kind of ['config', 'held', 'moved', 'replayed', 'approved', 'bundle']) {
    journal.record({ ...whose, kind, text: 'of an intruder' })
    t.equal(written().at(-1)?.kind, kind)
  }
})

t.test('gives no boot number twice, also when only its token was stored', async t => {
  const { store, journal, open } = journalOf(t)
  t.equal(journal.record(discover(controller.macs[0]!)).id, 'b-0001')
  const boot = { machine: 'ctl-1', boot: 'b-000f', tokens: 1, proven: true }
  await store.machines.change('ctl-1', record =>
    record.addToken({ hash: 'a', machine: 'ctl-1', boot: 'b-000f', until: 1 }, boot),
  )
  const next = () => open().record(discover(macOf(1))).id
  t.equal(next(), 'b-0010')
  await store.machines.change('ctl-1', record =>
    record.addToken({ hash: 'b', machine: 'ctl-1', boot: 'b-fffe', until: 1 }, boot),
  )
  await store.machines.change('ctl-1', record =>
    record.addToken({ hash: 'c', machine: 'ctl-1', boot: 'b-10000', until: 1 }, boot),
  )
  t.equal(open().record(discover(macOf(2))).id, 'b-10001')
})

t.test('takes 20 reports of a boot at once, and 256 KB of their logs', async t => {
  const clock = { now: 0 }
  const reports = new Reports(() => clock.now)
  for (let at = 0; at < 20; at += 1) t.match(reports.take('b-0001', 20_000), { fits: at < 13 })
  t.match(reports.take('b-0001', 10), { waitMs: Number })
  t.match(reports.take('b-0002', 10), { fits: true }, 'another boot')
  clock.now += 3000
  t.match(reports.take('b-0001', 10), { fits: true }, 'later')
})
