// How long a machine is open that an operator opened: by a clock that cannot be set, and across restarts.

import t, { type Test } from 'tap'
import { Reopenings } from '#server/agent/reopenings.ts'
import type { Machine } from '#model/machine.ts'
import { knownRecords } from '#server/store/known-records.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { defaultTrust } from '#server/agent/trust.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const machine: Machine = { name: 'ctl-1', macs: [], role: 'controller', address: '10.20.0.11', labels: {} }
const START = Date.parse('2026-11-29T12:00:00Z')

async function reopeningsOf(t: Test) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const clock = { wall: START, steady: 5000, host: 90 * MINUTE, run: 'first' }
  const clocks = { wall: () => clock.wall, steady: () => clock.steady }
  const { machines } = store
  const { reopened } = await knownRecords(machines)
  const start = () => new Reopenings(machines, reopened, clocks, { run: clock.run, now: () => clock.host })
  const reopenings = start()
  const isOpen = (name: string, boot: string) =>
    machines.read(name, record => reopenings.isOpen(record, boot))
  const pass = (milliseconds: number) => {
    clock.wall += milliseconds
    clock.steady += milliseconds
    clock.host += milliseconds
  }
  return { store, clock, start, pass, isOpen, reopened, reopenings }
}

t.test("a machine is open until its site's deadline, and closes by itself", async t => {
  const { reopenings, reopened, isOpen, pass } = await reopeningsOf(t)
  const short: Machine = { ...machine, name: 'ctl-2', trust: { ...defaultTrust, deadlineMinutes: 5 } }
  t.equal((await reopenings.open(machine, 'ada')).until, START + 60 * MINUTE)
  t.equal((await reopenings.open(short, 'ada')).until, START + 5 * MINUTE)
  pass(5 * MINUTE)
  t.strictSame(
    reopenings.all().map(({ machine }) => machine),
    ['ctl-1'],
  )
  t.equal(await isOpen('ctl-2', 'b-0001'), false)
  t.equal(await isOpen('ctl-1', 'b-0001'), true)
  t.match(await reopenings.removeEnded(), [{ machine: 'ctl-2', who: 'ada' }])
  t.strictSame([...reopened.keys()], ['ctl-1'], 'on disk, too')
  t.strictSame(await reopenings.removeEnded(), [])
})

t.test('a clock that is set makes it neither longer nor shorter', async t => {
  const { reopenings, clock, pass } = await reopeningsOf(t)
  await reopenings.open(machine, 'ada')
  clock.wall += 400 * DAY
  t.equal(reopenings.of('ctl-1')?.until, clock.wall + 60 * MINUTE, 'the end moves with the clock')
  clock.wall -= 800 * DAY
  pass(59 * MINUTE)
  t.ok(reopenings.of('ctl-1'))
  pass(MINUTE)
  t.equal(reopenings.of('ctl-1'), undefined)
})

t.test('a restart makes it neither longer nor shorter, whatever the clock says then', async t => {
  const { reopenings, clock, start, pass } = await reopeningsOf(t)
  await reopenings.open(machine, 'ada')
  pass(20 * MINUTE)
  clock.steady = 0
  for (const wall of [clock.wall, START - 400 * DAY, START + 400 * DAY]) {
    clock.wall = wall
    t.equal(start().of('ctl-1')?.until, wall + 40 * MINUTE)
  }
  const restarted = start()
  pass(40 * MINUTE)
  t.equal(restarted.of('ctl-1'), undefined)
  for (const wall of [START, START - 400 * DAY]) {
    clock.wall = wall
    t.equal(start().of('ctl-1'), undefined, 'it does not begin anew')
  }
})

t.test('after a restart of the host it is open only where both clocks allow it', async t => {
  const { reopenings, store, clock, start } = await reopeningsOf(t)
  const isOpen = (hostMs: number, wallMs: number) => {
    Object.assign(clock, { run: 'second', steady: 0, host: hostMs, wall: START + wallMs })
    return start().of('ctl-1') !== undefined
  }
  const look = () => {
    t.ok(isOpen(MINUTE, 5 * MINUTE))
    t.notOk(isOpen(60 * MINUTE, MINUTE), 'the host runs for as long')
    t.notOk(isOpen(MINUTE, 60 * MINUTE))
    t.notOk(isOpen(MINUTE, 2 * DAY))
    t.notOk(isOpen(MINUTE, -MINUTE), 'the clock was set back, so nothing says how long the host was off')
  }
  await reopenings.open(machine, 'ada')
  look()
  await store.machines.change('ctl-1', record =>
    record.reopen({ machine: 'ctl-1', at: START, until: START + 60 * MINUTE, who: 'ada' }),
  )
  look() // of a version that did not keep the host's clock
})

t.test('an operator closes it again, once', async t => {
  const { reopenings, isOpen, start } = await reopeningsOf(t)
  await reopenings.open(machine, 'ada')
  t.match(await reopenings.close('ctl-1'), { machine: 'ctl-1', who: 'ada' })
  t.equal(await isOpen('ctl-1', 'b-0001'), false)
  await t.rejects(reopenings.close('ctl-1'), { code: 'NOT_REOPENED' })
  t.equal(start().of('ctl-1'), undefined, 'after a restart, too')
})
