// Findings 6 and 11: undeclared machines leave little, and reports of one boot are bounded.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { AlarmList } from '#server/alarms/alarm-list.ts'
import { Occurrences } from '#server/machines/occurrences.ts'
import { LeaseTable } from '#server/protocols/dhcp/leases.ts'
import { MachineIndex } from '#server/machines/identity.ts'
import { Journal, type NewEvent } from '#server/machines/journal.ts'
import type { Machine } from '#model/machine.ts'
import { Reports } from '#server/limits/reports.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
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

async function journalOf(t: Test, limits: Partial<JournalLimits> = {}) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const clock = { now: 0 }
  const refused: string[] = []
  const open = () =>
    Journal.open(
      store.events,
      () => identities,
      () => clock.now,
      error => t.error(error),
      {
        strangers: new StrangerBoots({ ...JOURNAL_LIMITS, ...limits }, () => clock.now),
        refuse: reason => void refused.push(reason),
      },
    )
  const { events } = store
  const macs = async () => new Set((await events.eventsAfter(0, { limit: 100_000 })).map(({ mac }) => mac))
  return { store, events, clock, open, journal: await open(), refused, macs }
}

t.test('keeps the newest undeclared machines, in memory and in the store', async t => {
  const { store, journal, macs } = await journalOf(t, { strangers: 100 })
  journal.record(discover(controller.macs[0]!))
  for (let at = 0; at < 1000; at += 1) journal.record(discover(macOf(at)))
  t.equal(journal.all().length, 101)
  t.ok(journal.currentOf({ machine: controller }), 'and the declared one')
  t.ok(journal.currentOf({ mac: macOf(999) }))
  await store.events.eventsAfter(0, { limit: 1 }) // what waits is on disk
  await store.events.eventsAfter(0, { limit: 1 })
  const kept = await macs()
  t.ok(kept.size >= 101 && kept.size <= 101 + 64, `${kept.size} in the store`)
  t.ok(kept.has(controller.macs[0]!) && kept.has(macOf(999)) && !kept.has(macOf(0)))
})

t.test('keeps no more bytes of them than are allowed', async t => {
  const { journal } = await journalOf(t, { strangerBytes: 50_000 })
  for (let at = 0; at < 1000; at += 1) journal.record({ ...discover(macOf(at)), text: 'x'.repeat(290) })
  t.ok(journal.all().length < 120, `${journal.all().length} are left`)
})

t.test('takes a rack of 2,000 new machines at once, and few of a flood', async t => {
  const { journal, clock, refused } = await journalOf(t)
  for (let at = 0; at < 10_000; at += 1) journal.record(discover(macOf(at)))
  t.equal(journal.all().length, 2000)
  t.equal(refused.filter(reason => reason === 'journal_new').length, 8000)
  clock.now += 1000
  for (let at = 10_000; at < 11_000; at += 1) journal.record(discover(macOf(at)))
  t.equal(journal.all().length, 2200)
})

t.test('keeps few events of one machine, and always those that took a token', async t => {
  const { store, journal, clock, refused } = await journalOf(t)
  for (let at = 0; at < 5000; at += 1) journal.record(discover(macOf(1)))
  for (let at = 0; at < 5000; at += 1) journal.record(discover(controller.macs[0]!))
  t.equal((await store.events.eventsAfter(0, { machine: macOf(1), limit: 10_000 })).length, 200)
  t.equal((await store.events.eventsAfter(0, { machine: 'ctl-1', limit: 10_000 })).length, 2000)
  t.equal(refused.length, 4800 + 3000)
  const ready = journal.record({ mac: controller.macs[0]!, layer: 'os', kind: 'ready', text: 'runs' })
  t.equal((await store.events.eventsAfter(0, { machine: 'ctl-1', limit: 10_000 })).at(-1)?.kind, 'ready')
  t.equal(ready?.phase, 'ready')
  clock.now += 60_000
  journal.record(discover(macOf(1)))
  t.equal(
    (await store.events.eventsAfter(0, { machine: macOf(1), limit: 10_000 })).length,
    201,
    'later there is room again',
  )
})

t.test('a restart reads no undeclared machine before it is asked for', async t => {
  const { store, events, journal, open } = await journalOf(t)
  for (let at = 0; at < 1500; at += 1) journal.record(discover(macOf(at)))
  journal.record({ mac: macOf(7), layer: 'http', kind: 'script', text: 'runs live' })
  await store.events.eventsAfter(0, { limit: 1 })
  let reads = 0
  const eventsOfBoots = events.eventsOfBoots.bind(events)
  const eventsOf = events.eventsOf.bind(events)
  events.eventsOfBoots = boots => {
    reads += 1
    return eventsOfBoots(boots)
  }
  events.eventsOf = boot => {
    reads += 1
    return eventsOf(boot)
  }
  const restarted = await open()
  t.equal(reads, 0)
  await restarted.reading({ mac: macOf(7) })
  t.match(restarted.currentOf({ mac: macOf(7) }), { phase: 'script' }, 'but then as it was')
  reads = 0
  await restarted.resumeStrangers(never)
  t.equal(restarted.all().length, 1500)
  t.ok(reads <= 1 + 1500 / 200, `${reads} queries`)
})

t.test('a restart removes what an earlier version kept beyond that', async t => {
  const { store, journal, open, macs } = await journalOf(t, { strangers: 100 })
  const before = await Journal.open(
    store.events,
    () => identities,
    () => 0,
    error => t.error(error),
    { strangers: new StrangerBoots({ ...JOURNAL_LIMITS, newStrangers: { perSecond: 1, burst: 10_000 } }) },
  )
  t.equal(journal.all().length, 0)
  before.record(discover(controller.macs[0]!))
  for (let at = 0; at < 1500; at += 1) before.record(discover(macOf(at)))
  t.equal((await macs()).size, 1501)
  await (await open()).resumeStrangers(never)
  const kept = await macs()
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
  const { store, clock } = await journalOf(t)
  const journal = await Journal.open(
    store.events,
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
  const { store, journal, clock } = await journalOf(t)
  const mac = controller.macs[0]!
  const whose = { mac, machine: controller.name, layer: 'http' } as const
  const list = await AlarmList.open(store.alarms, () => clock.now)
  const alarms = new Occurrences({ journal, list, count: () => {}, log: () => {}, clock: () => clock.now })
  for (let at = 0; at < 2500; at += 1) {
    alarms.raise({ ...whose, kind: 'refused', reason: 'the UUID', text: `the UUID ${at} is not its own` })
  }
  t.match([...list.all()], [{ id: 'PL-7001:machine:ctl-1', count: 2500 }], 'one alarm that counts them')
  const written = () => store.events.eventsAfter(0, { machine: 'ctl-1', limit: 10_000 })
  t.equal((await written()).length, 1, 'one alarm a minute for one reason')
  for (let at = 0; at < 2500; at += 1) {
    journal.record(discover(mac))
    journal.record({ ...whose, kind: 'refused', text: `${at}` })
    journal.record({ ...whose, kind: 'kernel', text: `${at}` })
  }
  for (const kind of ['config', 'held', 'moved', 'replayed', 'approved', 'bundle']) {
    journal.record({ ...whose, kind, text: 'of an intruder' })
    t.equal((await written()).at(-1)?.kind, kind)
  }
})

t.test('gives no boot number twice, also when only its token was stored', async t => {
  const path = join(t.testdir(), 'pilotlight.db')
  /** Opens the store as a start of the server does, records what a MAC sends, and keeps a token for a boot. */
  const start = async (mac: string, tokenFor?: string) => {
    const store = new SqliteStore(path)
    const journal = await Journal.open(
      store.events,
      () => identities,
      () => 0,
      error => t.error(error),
    )
    await journal.reading({ mac })
    const boot = journal.record(discover(mac))?.id
    if (tokenFor !== undefined) {
      await store.machines.change('ctl-1', record =>
        record.addToken(
          { hash: tokenFor, machine: 'ctl-1', boot: tokenFor, until: 1 },
          { machine: 'ctl-1', boot: tokenFor, tokens: 1, proven: true },
        ),
      )
    }
    store.close()
    return boot
  }
  t.equal(await start(controller.macs[0]!, 'b-000f'), 'b-0001')
  t.equal(await start(macOf(1), 'b-fffe'), 'b-0010')
  t.equal(await start(macOf(2), 'b-10000'), 'b-ffff')
  t.equal(await start(macOf(3)), 'b-10001')
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
