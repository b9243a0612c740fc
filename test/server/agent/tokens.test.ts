import t, { type Test } from 'tap'
import { Tokens } from '#server/agent/tokens.ts'
import { SqliteStore } from '#server/inventory/sqlite.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const to = { key: 'age1one', fingerprint: 'SHA256:one' }

function tokensOf(t: Test) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const clock = { wall: Date.parse('2026-11-29T12:00:00Z'), steady: 5000 }
  const open = () => new Tokens(store, { wall: () => clock.wall, steady: () => clock.steady })
  return { clock, open, store, tokens: open() }
}

function minted(tokens: Tokens, boot: string): string {
  const made = tokens.mint('ctl-1', boot, { proven: true })
  if ('refused' in made) throw new Error(made.refused)
  return made.token
}

t.test('the age of a token is counted by a clock that nobody sets', async t => {
  const { tokens, clock } = tokensOf(t)
  const token = minted(tokens, 'b-0001')
  clock.wall += 20 * MINUTE
  t.equal(tokens.use(token).boot, 'b-0001', 'the clock was set ahead')
  const late = minted(tokens, 'b-0002')
  clock.wall -= DAY
  clock.steady += 16 * MINUTE
  t.throws(() => tokens.use(late), { code: 'TOKEN_EXPIRED', message: /was good for 15 minutes/ })
  minted(tokens, 'b-0003')
  t.throws(() => tokens.use(late), { code: 'TOKEN_EXPIRED' }, 'nor when the process has forgotten it')
})

t.test(
  'after a restart the wall clock is trusted within a day, and the process for a quarter of an hour',
  async t => {
    const { tokens, clock, open } = tokensOf(t)
    const [inTime, late, jumped, old] = ['b-0001', 'b-0002', 'b-0003', 'b-0004'].map(boot =>
      minted(tokens, boot),
    )
    clock.steady = 0
    t.equal(open().use(inTime!).boot, 'b-0001')
    clock.wall += 20 * MINUTE
    t.throws(() => open().use(late!), { code: 'TOKEN_EXPIRED' })
    clock.wall += 400 * DAY
    const restarted = open()
    t.equal(restarted.use(jumped!).boot, 'b-0003', 'a clock that jumped by more says nothing')
    clock.steady += 16 * MINUTE
    t.throws(() => restarted.use(old!), { code: 'TOKEN_EXPIRED' })
  },
)

t.test('a token is good until a bundle is given for another one of its boot or a later one', async t => {
  const { tokens } = tokensOf(t)
  const first = minted(tokens, 'b-0001')
  const again = minted(tokens, 'b-0001')
  tokens.use(again)
  t.equal(tokens.use(first).boot, 'b-0001', 'another one of the boot was used')
  tokens.spend(tokens.use(first), to)
  t.throws(() => tokens.use(again), {
    code: 'TOKEN_EXPIRED',
    message: /given for another one of the same boot/,
  })
  const second = minted(tokens, 'b-0002')
  t.equal(tokens.use(first).boot, 'b-0001')
  tokens.use(second)
  t.equal(tokens.use(first).boot, 'b-0001', 'one of a later boot was used')
  tokens.spend(tokens.use(second), to)
  t.throws(() => tokens.use(first), {
    code: 'TOKEN_EXPIRED',
    message: /is of boot b-0001; this is boot b-0002/,
  })
  t.throws(() => tokens.spend(tokens.use(second), to), { code: 'TOKEN_REPLAYED' })
  t.match(tokens.mint('ctl-1', 'b-0002', { proven: true }), {
    refused: 'the bundle of this boot was fetched already',
  })
})

t.test('the oldest token that was never shown gives way, and one that was shown in time stays', async t => {
  const { tokens, clock } = tokensOf(t)
  const first = minted(tokens, 'b-0001')
  tokens.use(first)
  const [oldest = '', next = ''] = Array.from({ length: 15 }, () => minted(tokens, 'b-0001'))
  minted(tokens, 'b-0001')
  t.throws(() => tokens.use(oldest), { code: 'UNKNOWN_TOKEN' })
  t.equal(tokens.use(next).boot, 'b-0001')
  clock.steady += 16 * MINUTE
  t.equal(tokens.use(first).boot, 'b-0001')
})

t.test('an operator opens boots without a token, and the first that gets its bundle closes them', async t => {
  const { tokens, store } = tokensOf(t)
  tokens.spend(tokens.use(minted(tokens, 'b-0001')), to)
  tokens.ready(tokens.use(minted(tokens, 'b-0002')))
  store.reopenMachine('ctl-1', 1, 'ada')
  t.same(
    ['b-0002', 'b-0003', 'b-0004'].map(boot => store.isReopened('ctl-1', boot)),
    [false, true, true],
  )
  tokens.spend(tokens.use(minted(tokens, 'b-0003')), to)
  t.equal(store.isReopened('ctl-1', 'b-0004'), false)
})

t.test('the token of a machine that runs is kept, however long ago it was made', async t => {
  const { tokens, store } = tokensOf(t)
  const [used, unused] = [minted(tokens, 'b-0001'), minted(tokens, 'b-0001')]
  tokens.spend(tokens.use(used), to)
  store.prune(Date.parse('2027-11-29T12:00:00Z'))
  t.equal(tokens.use(used).boot, 'b-0001')
  t.throws(() => tokens.use(unused), { code: 'UNKNOWN_TOKEN' })
})
