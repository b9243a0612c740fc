import t, { type Test } from 'tap'
import { AlarmList } from '#server/alarms/alarm-list.ts'
import type { AlarmStore } from '#server/store/alarms.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { waitUntil } from '#progress/wait.ts'

const REFUSED = { code: 'PL-7001', entity: 'machine:ctl-1', reason: 'its token came from elsewhere' } as const

t.test('an alarm begins once, and counts how often it was raised', async t => {
  const { list, clock } = await opened(t)
  list.raise(REFUSED)
  clock.at += 5000
  list.raise({ ...REFUSED, reason: 'its key was rejected' })
  list.raise({ ...REFUSED, entity: 'machine:cmp-1' })
  t.strictSame(
    [...list.all()].map(({ id, count }) => `${id} ${count}`),
    ['PL-7001:machine:ctl-1 2', 'PL-7001:machine:cmp-1 1'],
  )
  t.strictSame(list.get('PL-7001:machine:ctl-1'), {
    id: 'PL-7001:machine:ctl-1',
    code: 'PL-7001',
    severity: 'major',
    entity: 'machine:ctl-1',
    state: 'active',
    since: 1000,
    lastSeen: 6000,
    count: 2,
    reason: 'its key was rejected',
    repair: 'pilotlight journal ctl-1',
  })
})

t.test('an acknowledged alarm stays so while it repeats, and one that was cleared begins anew', async t => {
  const { list, clock } = await opened(t)
  list.raise(REFUSED)
  const id = 'PL-7001:machine:ctl-1'
  t.match(await list.acknowledge(id, 'ada'), {
    alarm: { state: 'acknowledged', acknowledged: { at: 1000, who: 'ada' } },
    isChanged: true,
  })
  t.match(await list.acknowledge(id, 'eve'), { alarm: { acknowledged: { who: 'ada' } }, isChanged: false })
  list.raise(REFUSED)
  t.match(list.get(id), { state: 'acknowledged', count: 2 })
  clock.at += 1
  t.match(await list.clear(id, 'bob'), {
    alarm: { state: 'cleared', acknowledged: { who: 'ada' }, cleared: { at: 1001, who: 'bob' } },
    isChanged: true,
  })
  t.match(await list.clear(id, 'eve'), { alarm: { cleared: { who: 'bob' } }, isChanged: false })
  await t.rejects(list.acknowledge(id, 'eve'), { code: 'ALARM_CLEARED', statusCode: 409 })
  list.raise(REFUSED)
  const anew = list.get(id)
  t.match(anew, { state: 'active', since: 1001, count: 1 })
  t.notOk(anew.acknowledged)
  t.notOk(anew.cleared)
})

t.test('a condition that is over clears its alarm, and names no one', async t => {
  const { list } = await opened(t)
  list.raise({ code: 'PL-7020', entity: 'state:/var/lib/pilotlight', reason: 'the disk is full' })
  t.equal(list.open('PL-7020').length, 1)
  list.end('PL-7020', 'state:/var/lib/pilotlight')
  list.end('PL-7020', 'state:/elsewhere')
  t.same(list.open('PL-7020'), [])
  const [alarm] = [...list.all()]
  t.strictSame(alarm?.cleared, { at: 1000 })
})

t.test('what was raised is on disk after a second, and decisions are at once', async t => {
  const { list, store } = await opened(t)
  list.raise(REFUSED)
  t.same(await store.alarms.all(), [])
  await waitUntil('the alarm on disk', { limitSeconds: 10, everyMs: 50 }, async () => {
    const kept = await store.alarms.all()
    return kept.length === 1 ? { value: kept } : { not: 'none is there' }
  })
  await list.acknowledge('PL-7001:machine:ctl-1', 'ada')
  t.match(await store.alarms.all(), [{ state: 'acknowledged', acknowledged: { who: 'ada' } }])
  list.raise(REFUSED)
  await list.close()
  t.match(await store.alarms.all(), [{ count: 2 }], 'the end of a server loses nothing')
  const again = await AlarmList.open(store.alarms, () => 0)
  t.strictSame([...again.all()], [...list.all()])
})

t.test('a decision waits for a write that began before it, and stays on disk', async t => {
  const { store } = await opened(t)
  const writes: (() => void)[] = []
  const disk: AlarmStore = {
    all: () => store.alarms.all(),
    // As slow as the test wants it, and in any order.
    keep: (...kept) =>
      new Promise((resolve, reject) => {
        writes.push(() => void store.alarms.keep(...kept).then(resolve, reject))
      }),
  }
  const begun = () =>
    waitUntil('a write', { limitSeconds: 10, everyMs: 20 }, () =>
      Promise.resolve(writes.length > 0 ? { value: true } : { not: 'none began' }),
    )
  const end = () =>
    writes
      .splice(0)
      .toReversed()
      .forEach(write => write())
  const list = await AlarmList.open(disk, () => 1000)
  list.raise(REFUSED)
  await begun()
  const decided = list.acknowledge('PL-7001:machine:ctl-1', 'ada')
  await new Promise(setImmediate)
  end()
  await Promise.race([begun(), decided])
  end()
  t.match(await decided, { alarm: { state: 'acknowledged' } })
  t.match(await store.alarms.all(), [{ state: 'acknowledged' }])
})

t.test('a decision that the disk does not take is not in effect', async t => {
  const { store } = await opened(t)
  let isFull = true
  const disk: AlarmStore = {
    all: () => store.alarms.all(),
    keep: (...kept) => (isFull ? Promise.reject(new Error('full')) : store.alarms.keep(...kept)),
  }
  const list = await AlarmList.open(disk, () => 1000)
  list.raise(REFUSED)
  await t.rejects(list.acknowledge('PL-7001:machine:ctl-1', 'ada'), /full/)
  t.match(list.get('PL-7001:machine:ctl-1'), { state: 'active' })
  await list.close() // gives up, since nothing is taken
  isFull = false
  await list.close()
  t.match(await store.alarms.all(), [{ count: 1 }], 'what was not taken is written later')
})

t.test('an unknown alarm is a 404 that says where all are', async t => {
  const { list } = await opened(t)
  await t.rejects(list.clear('PL-7001:machine:x', 'ada'), {
    statusCode: 404,
    message: /pilotlight get alarms/,
  })
})

t.test('10,000 machines can have an alarm of every code, and names from the wire only 1,000', async t => {
  const { list, store } = await opened(t)
  for (let at = 0; at < 3000; at += 1) list.raise({ ...REFUSED, entity: `mac:52:54:00:00:${at}` })
  const entities = () => [...list.all()].map(({ entity }) => entity)
  t.equal(entities().length, 1000)
  t.equal(entities()[0], 'mac:52:54:00:00:2000', 'those seen longest ago were forgotten')
  for (let at = 0; at < 10_000; at += 1) {
    list.raise({ ...REFUSED, entity: `machine:m-${at}` })
    list.raise({ ...REFUSED, code: 'PL-7005', entity: `machine:m-${at}` })
  }
  t.equal(entities().length, 21_000)
  for (let at = 0; at < 10_000; at += 1) list.end('PL-7005', `machine:m-${at}`)
  t.equal(entities().length, 16_000, '5,000 that are cleared are kept')
  await list.close()
  t.equal((await store.alarms.all()).length, 16_000, 'and the same are on disk')
})

async function opened(t: Test) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const clock = { at: 1000 }
  return { list: await AlarmList.open(store.alarms, () => clock.at), store, clock }
}
