// The steps of an upgrade, as a table: what the order is, what the machine says, and what comes of it.

import t from 'tap'
import type { OrderAsk } from '#model/install.ts'
import {
  afterReady,
  afterTime,
  stepUpgrade,
  type KeptUpgrade,
  type Now,
  type UpgradeFacts,
} from '#server/disks/upgrade-steps.ts'

const [OLD, NEW, OTHER] = ['0000aaaa0000', '1111bbbb1111', '2222cccc2222']
const [BEFORE, AFTER] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002']
const base: KeptUpgrade = {
  machine: 'cmp-1',
  verb: 'upgrade',
  at: 1,
  until: 9e9,
  who: 'ada',
  made: { run: 'first', at: 1 },
  target: NEW,
  state: 'ordered',
  since: 1,
  sinceHost: { run: 'first', at: 1 },
}
const ask: OrderAsk = { version: OLD, slot: 'a', kernel: BEFORE, isGood: true, doing: 'nothing' }
const image = { version: NEW, url: 'http://10.20.0.1/assets/live/slot.json', sha256: 'ab' }
const at = (ms: number): Now => ({ wall: ms, host: { run: 'first', at: ms } })
const facts: UpgradeFacts = { now: at(1000), maySeat: true, image }

type Row = readonly [
  title: string,
  order: Partial<KeptUpgrade>,
  asked: Partial<OrderAsk>,
  facts: Partial<UpgradeFacts>,
  state: KeptUpgrade['state'],
  does: 'nothing' | 'write' | 'reboot',
]
const ROWS: readonly Row[] = [
  ['ordered: it is to write', {}, {}, {}, 'writing', 'write'],
  ['no room: it waits', {}, {}, { maySeat: false }, 'ordered', 'nothing'],
  ['no image now: it waits', {}, {}, { image: undefined }, 'ordered', 'nothing'],
  ['the assets hold another one', {}, {}, { image: { ...image, version: OTHER } }, 'failed', 'nothing'],
  ['the answer was lost: it is to write again', { state: 'writing' }, {}, {}, 'writing', 'write'],
  ['it writes', { state: 'writing' }, { doing: 'writing', target: NEW }, {}, 'writing', 'nothing'],
  ['it writes, after the server forgot', {}, { doing: 'writing', target: NEW }, {}, 'writing', 'nothing'],
  ['it wrote', { state: 'writing' }, { doing: 'written', target: NEW }, {}, 'written', 'nothing'],
  [
    'it wrote something else',
    { state: 'writing' },
    { doing: 'written', target: OTHER },
    {},
    'writing',
    'write',
  ],
  [
    'it could not',
    { state: 'writing' },
    { doing: 'failed', target: NEW, why: 'no disk' },
    {},
    'failed',
    'nothing',
  ],
  [
    'what failed was another one',
    {},
    { doing: 'failed', target: OTHER, why: 'no disk' },
    {},
    'writing',
    'write',
  ],
  [
    'written: no restart before one is ordered',
    { state: 'written' },
    { doing: 'written', target: NEW },
    {},
    'written',
    'nothing',
  ],
  [
    'written, and it says nothing after a restart of its own',
    { state: 'written' },
    { kernel: AFTER },
    {},
    'written',
    'nothing',
  ],
  ['a restart was ordered', { state: 'rebooting' }, {}, {}, 'rebooting', 'reboot'],
  ['the answer was lost', { state: 'rebooting', kernel: BEFORE }, {}, {}, 'rebooting', 'reboot'],
  [
    'another start with the old one',
    { state: 'rebooting', kernel: BEFORE },
    { kernel: AFTER },
    {},
    'failed',
    'nothing',
  ],
  [
    'the new one, not good yet',
    { state: 'rebooting', kernel: BEFORE },
    { kernel: AFTER, version: NEW, isGood: false },
    {},
    'rebooting',
    'nothing',
  ],
  [
    'the new one on trial is not told to restart',
    { state: 'rebooting' },
    { version: NEW, isGood: false },
    {},
    'rebooting',
    'nothing',
  ],
  ['the new one is not written over itself', {}, { version: NEW, isGood: false }, {}, 'ordered', 'nothing'],
  [
    'the new one, good',
    { state: 'rebooting', kernel: BEFORE },
    { kernel: AFTER, version: NEW },
    {},
    'done',
    'nothing',
  ],
  [
    'it lost its power after it wrote, and started the new one',
    { state: 'written' },
    { version: NEW },
    {},
    'done',
    'nothing',
  ],
  ['it runs that already', {}, { version: NEW }, {}, 'done', 'nothing'],
  [
    'what it wrote is gone',
    { state: 'rebooting' },
    { doing: 'failed', target: NEW, why: 'w' },
    {},
    'failed',
    'nothing',
  ],
  ['done stays so', { state: 'done' }, {}, {}, 'done', 'nothing'],
  [
    'failed stays so',
    { state: 'failed', why: 'w' },
    { doing: 'written', target: NEW },
    {},
    'failed',
    'nothing',
  ],
  ['failed, and came after all', { state: 'failed', why: 'w' }, { version: NEW }, {}, 'done', 'nothing'],
]

for (const [title, order, asked, more, state, does] of ROWS)
  t.test(title, async t => {
    const step = stepUpgrade({ ...base, ...order }, { ...ask, ...asked }, { ...facts, ...more })
    t.equal(step.order.state, state)
    t.equal(step.answer.do, does)
    t.ok(step.answer.againSeconds >= 10 && step.answer.againSeconds <= 60)
    if (state !== (order.state ?? 'ordered')) t.equal(step.order.since, 1000)
    else t.equal(step.order.since, 1)
    t.equal(step.order.why !== undefined, state === 'failed')
    // Asked again with what it was answered, nothing goes back.
    const again = stepUpgrade(step.order, { ...ask, ...asked }, { ...facts, ...more })
    t.equal(again.order.state, state)
    t.equal(again.answer.do, does)
  })

t.test('says the address and the digest of what is to be written', async t => {
  t.same(stepUpgrade(base, ask, facts).answer, {
    do: 'write',
    ...image,
    healthySeconds: 900,
    againSeconds: 30,
  })
  const own = { ...base, healthySeconds: 300 }
  t.match(stepUpgrade(own, ask, facts).answer, { healthySeconds: 300 })
})

t.test('ready with the version is the end, with another one it is not', async t => {
  const order = { ...base, state: 'rebooting' } as const
  t.equal(afterReady(order, NEW, at(7)).state, 'done')
  t.equal(afterReady(order, OLD, at(7)), order)
  t.equal(afterReady(order, undefined, at(7)), order)
})

t.test('a machine that does not come back has failed after 75 minutes', async t => {
  const order = { ...base, state: 'rebooting', kernel: BEFORE } as const
  t.equal(afterTime(order, at(75 * 60_000)), order)
  t.match(afterTime(order, at(75 * 60_000 + 1)), { state: 'failed', why: /not ready 75 minutes after/ })
  const { kernel: _, ...untold } = order
  t.match(afterTime(untold, at(75 * 60_000 + 1)), { state: 'failed', why: /did not ask/ })
  const short = { ...order, healthySeconds: 60 }
  t.equal(afterTime(short, at(33 * 60_000)), short, 'three times the time of the order, and half an hour')
  t.match(afterTime(short, at(33 * 60_000 + 1)), { state: 'failed', why: /not ready 33 minutes after/ })
  const waiting = { ...base, state: 'written' } as const
  t.equal(afterTime(waiting, at(9e12)), waiting)
})

t.test(
  'the wall clock may be set, and the server or its host started again, and no upgrade fails by that',
  async t => {
    const order = { ...base, state: 'rebooting', kernel: BEFORE } as const
    const year = 365 * 86_400_000
    const minute = 60_000
    t.equal(afterTime(order, { wall: year, host: { run: 'first', at: minute } }), order, 'NTP set it')
    t.match(afterTime(order, { wall: -year, host: { run: 'first', at: 76 * minute } }), { state: 'failed' })
    t.equal(afterTime(order, { wall: year, host: { run: 'second', at: minute } }), order)
    t.match(afterTime(order, { wall: -year, host: { run: 'second', at: 76 * minute } }), { state: 'failed' })
    const { sinceHost: _, ...earlier } = order
    t.equal(afterTime(earlier, { wall: year, host: { run: 'first', at: minute } }), earlier)
    t.match(afterTime(earlier, at(76 * minute)), { state: 'failed' }, 'of an earlier version, too')
    t.match(afterReady(order, NEW, at(9)), { since: 9, sinceHost: { run: 'first', at: 9 } })
  },
)
