// The store in SQLite beyond its contract: commits that are shared, versions, and a process that is killed.

import t from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import Database from 'better-sqlite3'
import type { UnstoredEvent } from '#server/store/events.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import {
  alarmContract,
  auditContract,
  eventContract,
  leaseContract,
  objectContract,
  recordContract,
  secretContract,
  type Open,
} from '../contract.ts'

/** A store in a file; the part of it that a contract is about. */
const opening =
  <T>(part: (store: SqliteStore) => T): Open<T> =>
  async t => {
    const path = join(t.testdir(), 'pilotlight.db')
    let store = new SqliteStore(path)
    t.teardown(() => store.close())
    const again = async () => {
      store.close()
      store = new SqliteStore(path)
      return part(store)
    }
    return { store: part(store), again }
  }

objectContract(
  t,
  opening(store => store.objects),
)
recordContract(
  t,
  opening(store => store.machines),
)
secretContract(
  t,
  opening(store => store.secrets),
)
eventContract(
  t,
  opening(store => store.events),
)
leaseContract(
  t,
  opening(store => store.leases),
)
alarmContract(
  t,
  opening(store => store.alarms),
)
auditContract(
  t,
  opening(store => store.audit),
)

const boot = { id: 'b-0001', mac: '52:54:00:20:00:01', began: 1000 }
const machineBoot = { machine: 'ctl-1', boot: 'b-0001', tokens: 1, proven: true }
const eventAt = (at: number): UnstoredEvent => ({
  at,
  boot: boot.id,
  mac: boot.mac,
  layer: 'dhcp',
  kind: 'discover',
  text: `event ${at}`,
  detail: { at },
})

t.test('a token shares the commit of the events that wait', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  let isKept = false
  const kept = store.events.append(boot, eventAt(1)).then(() => (isKept = true))
  await store.machines.change('ctl-1', record => record.putBoot(machineBoot))
  await Promise.resolve() // what is on disk resolves at once, what waits for its own commit after some milliseconds
  t.equal(isKept, true)
  await kept
})

t.test('one event that cannot be kept does not take others with it', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const unfit = { ...eventAt(2), text: null as unknown as string } // no column takes it
  const results = await Promise.allSettled(
    [eventAt(1), unfit, eventAt(3)].map(it => store.events.append(boot, it)),
  )
  t.match(results, [{ value: 1 }, { status: 'rejected' }, { value: 2 }])
  t.equal((await store.events.eventsOf('b-0001')).length, 2)
})

t.test('old boots go, numbers are never given twice', async t => {
  const path = join(t.testdir(), 'pilotlight.db')
  const store = new SqliteStore(path)
  await store.events.append(boot, eventAt(1000))
  await store.events.append({ ...boot, id: 'b-0002', began: 2000 }, { ...eventAt(2000), boot: 'b-0002' })
  await store.prune(5000)
  t.same(await store.events.eventsOf('b-0001'), [])
  store.close()
  const again = new SqliteStore(path)
  t.teardown(() => again.close())
  t.equal(await again.events.lastEvent(), 2)
  t.equal(again.events.nextBoot(), 3)
  t.equal(await again.events.append({ ...boot, id: 'b-0003' }, { ...eventAt(3000), boot: 'b-0003' }), 3)
})

t.test('a store of a newer Pilotlight is left alone', async t => {
  const path = join(t.testdir(), 'state/pilotlight.db')
  new SqliteStore(path).close()
  const newer = new Database(path)
  newer.pragma('user_version = 999')
  newer.close()
  t.throws(() => new SqliteStore(path), { code: 'NEWER_STORE', message: /schema 999; .* up to \d/ })
})

t.test('what was acknowledged survives kill -9', async t => {
  const path = join(t.testdir(), 'pilotlight.db')
  const writer = spawn(process.execPath, [join(import.meta.dirname, 'store-writer.ts'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => writer.kill('SIGKILL'))
  const acknowledged: string[] = []
  for await (const line of createInterface(writer.stdout)) {
    acknowledged.push(line)
    if (acknowledged.length === 40) writer.kill('SIGKILL')
  }
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
  t.equal(writer.signalCode, 'SIGKILL')
  const store = new SqliteStore(path)
  t.teardown(() => store.close())
  const leases = new Set((await store.leases.all()).map(({ address }) => `lease ${address}`))
  const events = new Set((await store.events.eventsOf('b-0001')).map(({ id }) => `event ${id}`))
  for (const line of acknowledged) t.ok(leases.has(line) || events.has(line), line)
})

t.test(
  'a boot whose first commit was undone, or that was forgotten, is written with its next event',
  async t => {
    const store = new SqliteStore(':memory:')
    t.teardown(() => store.close())
    const boots = () => store.events.bootsOf({ macs: [boot.mac] }, 10)
    const first = store.events.append(boot, eventAt(1001)) // in the commit that is undone, and done again without the other
    const failing = store.machines.change('ctl-1', () => {
      throw new Error('not kept')
    })
    await t.rejects(failing, { message: 'not kept' })
    await first
    t.same(await boots(), [boot])

    await store.events.append({ ...boot, machine: 'ctl-1' }, eventAt(1002))
    t.same(await boots(), [{ ...boot, machine: 'ctl-1' }])
    await store.events.append(
      { id: 'b-0002', mac: '52:54:00:20:00:02', began: 9000 },
      { ...eventAt(1003), boot: 'b-0002' },
    )
    await store.prune(5000)
    t.same(await boots(), [])
    await store.events.append({ ...boot, machine: 'ctl-1' }, eventAt(1004))
    t.same(await boots(), [{ ...boot, machine: 'ctl-1' }], 'after it was pruned')

    await store.events.append(boot, eventAt(1005))
    await store.events.append(
      { id: 'b-0003', mac: '52:54:00:20:00:02', began: 9000 },
      { ...eventAt(1006), boot: 'b-0003' },
    )
    await store.events.forgetStrangers([boot.mac], 2)
    t.same(await boots(), [])
    await store.events.append(boot, eventAt(1007))
    t.same(await boots(), [boot], 'after it was forgotten as a stranger')
  },
)

t.test('finds the tokens of a boot by an index', async t => {
  const path = join(t.testdir(), 'pilotlight.db')
  new SqliteStore(path).close()
  const file = new Database(path)
  t.teardown(() => file.close())
  for (const sql of [
    'SELECT * FROM tokens WHERE machine = ? AND boot = ? ORDER BY number',
    'DELETE FROM tokens WHERE machine = ? AND boot = ?',
  ]) {
    const plan = file.prepare(`EXPLAIN QUERY PLAN ${sql}`).all('ctl-1', 'b-0001')
    t.match(plan, [{ detail: /^SEARCH tokens USING (COVERING )?INDEX tokens_by_boot/ }], sql)
  }
})
