import t, { type Test } from 'tap'
import { Reopenings } from '#server/agent/reopenings.ts'
import { BootTokens } from '#server/agent/boot-tokens.ts'
import { knownRecords } from '#server/store/known-records.ts'
import type { TokenRecord } from '#server/store/machine-records.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const to = { key: 'age1one', fingerprint: 'SHA256:one' }

async function tokensOf(t: Test) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const clock = { wall: Date.parse('2026-11-29T12:00:00Z'), steady: 5000, host: 90 * MINUTE, run: 'first' }
  const clocks = { wall: () => clock.wall, steady: () => clock.steady }
  const { machines, secrets: bundles } = store
  const { running, reopened } = await knownRecords(machines)
  const open = () => {
    const host = { run: clock.run, now: () => clock.host }
    const reopenings = new Reopenings(machines, reopened, clocks, host)
    return new BootTokens({ store: machines, bundles, running, reopenings, clocks, host })
  }
  const spend = (token: TokenRecord) => machines.change('ctl-1', record => tokens.spendIn(record, token, to))
  const isReopened = (boot: string) => machines.read('ctl-1', record => record.isReopened(boot))
  const bootOf = (boot: string) => machines.read('ctl-1', record => record.boot(boot))
  const tokens = open()
  return { clock, open, store, spend, isReopened, bootOf, tokens }
}

async function minted(tokens: BootTokens, boot: string): Promise<string> {
  const made = await tokens.mint('ctl-1', boot, { proven: true })
  if ('refused' in made) throw new Error(made.refused)
  return made.token
}

t.test('the age of a token is counted by a clock that cannot be set', async t => {
  const { tokens, clock } = await tokensOf(t)
  const token = await minted(tokens, 'b-0001')
  clock.wall += 20 * MINUTE
  t.equal((await tokens.use(token)).boot, 'b-0001', 'the clock was set ahead')
  const late = await minted(tokens, 'b-0002')
  clock.wall -= DAY
  clock.host += 16 * MINUTE
  await t.rejects(tokens.use(late), { code: 'TOKEN_EXPIRED', message: /was good for 15 minutes/ })
  await minted(tokens, 'b-0003')
  await t.rejects(tokens.use(late), { code: 'TOKEN_EXPIRED' }, 'nor when the process has forgotten it')
})

t.test('the age of a token goes on while the server is away, whatever the wall clock says', async t => {
  const { tokens, clock, open } = await tokensOf(t)
  const boots = ['b-0001', 'b-0002', 'b-0003']
  const [inTime = '', jumped = '', old = ''] = await Promise.all(boots.map(boot => minted(tokens, boot)))
  clock.steady = 0
  t.equal((await open().use(inTime)).boot, 'b-0001')
  clock.wall += 400 * DAY
  t.equal((await open().use(jumped)).boot, 'b-0002', 'the clock was set')
  for (const away of [16 * MINUTE, 25 * 60 * MINUTE, 200 * DAY]) {
    clock.host += away
    await t.rejects(open().use(old), { code: 'TOKEN_EXPIRED' }, `after ${away / MINUTE} minutes`)
  }
})

t.test('after a restart of the host a token is good only where both clocks allow it', async t => {
  const { tokens, clock, open } = await tokensOf(t)
  const token = await minted(tokens, 'b-0001')
  const made = clock.wall
  const isGood = async (hostMs: number, wallMs: number) => {
    Object.assign(clock, { run: 'second', steady: 0, host: hostMs, wall: made + wallMs })
    try {
      return (await open().use(token)).boot === 'b-0001'
    } catch {
      return false
    }
  }
  t.notOk(await isGood(16 * MINUTE, MINUTE), 'the host runs for longer than it was good for')
  t.notOk(await isGood(MINUTE, 16 * MINUTE))
  t.notOk(await isGood(MINUTE, 25 * 60 * MINUTE))
  t.notOk(await isGood(MINUTE, 400 * DAY))
  t.notOk(await isGood(MINUTE, -MINUTE), 'the clock was set back, so nothing says how long the host was off')
  t.ok(await isGood(MINUTE, 5 * MINUTE))
})

t.test('a token is good until a bundle is given for another one of its boot or a later one', async t => {
  const { tokens, spend } = await tokensOf(t)
  const first = await minted(tokens, 'b-0001')
  const again = await minted(tokens, 'b-0001')
  await tokens.use(again)
  t.equal((await tokens.use(first)).boot, 'b-0001', 'another one of the boot was used')
  await spend(await tokens.use(first))
  await t.rejects(tokens.use(again), {
    code: 'TOKEN_EXPIRED',
    message: /given for another one of the same boot/,
  })
  const second = await minted(tokens, 'b-0002')
  t.equal((await tokens.use(first)).boot, 'b-0001')
  await tokens.use(second)
  t.equal((await tokens.use(first)).boot, 'b-0001', 'one of a later boot was used')
  await spend(await tokens.use(second))
  await t.rejects(tokens.use(first), {
    code: 'TOKEN_EXPIRED',
    message: /is of boot b-0001; this is boot b-0002/,
  })
  await t.rejects(spend(await tokens.use(second)), { code: 'TOKEN_REPLAYED' })
  t.match(await tokens.mint('ctl-1', 'b-0002', { proven: true }), {
    refused: 'the bundle of this boot was fetched already',
  })
})

t.test('the oldest token that was never shown gives way, and one that was shown in time stays', async t => {
  const { tokens, clock } = await tokensOf(t)
  const first = await minted(tokens, 'b-0001')
  await tokens.use(first)
  const [oldest = '', next = ''] = await Promise.all(
    Array.from({ length: 15 }, () => minted(tokens, 'b-0001')),
  )
  await minted(tokens, 'b-0001')
  await t.rejects(tokens.use(oldest), { code: 'UNKNOWN_TOKEN' })
  t.equal((await tokens.use(next)).boot, 'b-0001')
  clock.host += 16 * MINUTE
  t.equal((await tokens.use(first)).boot, 'b-0001')
})

t.test('an operator opens boots without a token, and the first that gets its bundle closes them', async t => {
  const { tokens, store, spend, isReopened } = await tokensOf(t)
  await spend(await tokens.use(await minted(tokens, 'b-0001')))
  await tokens.ready(await tokens.use(await minted(tokens, 'b-0002')))
  await store.machines.change('ctl-1', record =>
    record.reopen({ machine: 'ctl-1', at: 1, until: MINUTE, who: 'ada' }),
  )
  t.same(await Promise.all(['b-0002', 'b-0003', 'b-0004'].map(isReopened)), [false, true, true])
  await spend(await tokens.use(await minted(tokens, 'b-0003')))
  t.equal(await isReopened('b-0004'), false)
})

t.test('the token of a machine that runs is kept, however long ago it was made', async t => {
  const { tokens, store, spend } = await tokensOf(t)
  const [used, unused] = [await minted(tokens, 'b-0001'), await minted(tokens, 'b-0001')]
  await spend(await tokens.use(used))
  await store.prune(Date.parse('2027-11-29T12:00:00Z'))
  t.equal((await tokens.use(used)).boot, 'b-0001')
  await t.rejects(tokens.use(unused), { code: 'UNKNOWN_TOKEN' })
})

t.test('machines that ask at the same time share one commit, and none has its token before it', async t => {
  const { tokens, bootOf } = await tokensOf(t)
  const boots = ['b-0001', 'b-0002', 'b-0003']
  let given = 0
  const asked = boots.map(async boot => {
    const token = await minted(tokens, boot)
    const kept = await Promise.all(boots.map(bootOf))
    t.equal(kept.filter(other => other !== undefined).length, 3, boot)
    given += 1
    return token
  })
  t.equal(given, 0)
  t.equal(await bootOf('b-0001'), undefined)
  await Promise.all(asked)
})

t.test('a token whose commit fails is given to no one, and the others of that commit are', async t => {
  const { tokens, store, bootOf } = await tokensOf(t)
  const failing = store.machines.change('ctl-2', () => {
    throw new Error('not kept')
  })
  const asked = minted(tokens, 'b-0001')
  await t.rejects(failing, { message: 'not kept' })
  t.equal((await tokens.use(await asked)).boot, 'b-0001')
  const full = store.machines.change.bind(store.machines)
  store.machines.change = (machine, step) =>
    full(machine, record => {
      step(record)
      throw new Error('the disk is full')
    })
  await t.rejects(minted(tokens, 'b-0002'), { message: 'the disk is full' })
  t.equal(await bootOf('b-0002'), undefined)
})

t.test('a bundle that is given while a token is made voids that one, too', async t => {
  const { tokens, spend, bootOf } = await tokensOf(t)
  const first = await tokens.use(await minted(tokens, 'b-0001'))
  const asked = minted(tokens, 'b-0001')
  await spend(first)
  const late = await asked
  await t.rejects(tokens.use(late), { code: 'TOKEN_EXPIRED', message: /given for another one/ })
  t.equal((await bootOf('b-0001'))?.token, first.hash)
})
