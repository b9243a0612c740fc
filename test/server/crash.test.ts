// The short version of bench/crash.ts.

import t from 'tap'
import { crash } from './crash.ts'

t.test(
  'kill -9 loses nothing that was acknowledged, and leaves nothing half',
  { timeout: 240_000 },
  async t => {
    const figures = await crash(t.testdir(), { kills: 4, random: Math.random })
    t.strictSame(figures.wrong, [])
    t.ok(
      figures.kills === figures.killsWhileStarting || figures.acknowledged > 0,
      `${figures.acknowledged} writes`,
    )
  },
)
