import t, { type Test } from 'tap'
import { Tokens } from '#server/agent/tokens.ts'
import { SqliteStore } from '#server/inventory/sqlite.ts'

const MINUTE = 60_000
const DAY = 86_400_000

function tokensOf(t: Test) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const clock = { wall: Date.parse('2026-11-29T12:00:00Z'), steady: 5000 }
  const open = () => new Tokens(store, { wall: () => clock.wall, steady: () => clock.steady })
  return { clock, open, tokens: open() }
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

t.test('a token of an earlier boot is good until one of a later boot is used', async t => {
  const { tokens } = tokensOf(t)
  const first = minted(tokens, 'b-0001')
  tokens.use(first)
  const second = minted(tokens, 'b-0002')
  t.equal(tokens.use(first).boot, 'b-0001')
  tokens.use(second)
  t.throws(() => tokens.use(first), {
    code: 'TOKEN_EXPIRED',
    message: /is of boot b-0001; this is boot b-0002/,
  })
  tokens.spend(tokens.use(second))
  t.throws(() => tokens.spend(tokens.use(second)), { code: 'TOKEN_REPLAYED' })
  t.match(tokens.mint('ctl-1', 'b-0002', { proven: true }), {
    refused: 'the bundle of this boot was fetched already',
  })
})

t.test('a token of a boot that DHCP did not show voids nothing before its bundle is fetched', async t => {
  const { tokens, clock } = tokensOf(t)
  const machine = minted(tokens, 'b-0001')
  tokens.use(machine)
  const made = tokens.mint('ctl-1', 'b-0002', { proven: false })
  const stranger = 'token' in made ? made.token : ''
  t.equal(tokens.use(stranger).boot, 'b-0002')
  t.equal(tokens.use(machine).boot, 'b-0001', 'the boot of the machine goes on')
  tokens.spend(tokens.use(stranger))
  t.throws(() => tokens.use(machine), { code: 'TOKEN_EXPIRED' }, 'until an operator approved the other')
  clock.steady += 16 * MINUTE
  t.equal(tokens.use(stranger).boot, 'b-0002')
})
