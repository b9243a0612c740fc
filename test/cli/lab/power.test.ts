// What `lab power` says of a machine that an order was given to.

import t from 'tap'
import { wordsOf } from '#cli/lab/power.ts'

t.test('a reset shuts nothing down, also where the power supply is still at it', async t => {
  const ending = { until: '2026-11-30T19:49:57.000Z', next: 'on' } as const
  const said = (verb: 'reset' | 'cycle') =>
    wordsOf({
      wanted: { verb, hard: false },
      order: { verb, changes: true, starts: 1 },
      state: 'on',
      ending,
      ended: undefined,
      seconds: 0,
    })
  t.equal(said('reset'), 'starts over at once, and nothing is shut down')
  t.equal(said('cycle'), 'shuts down, until 19:49:57 UTC at the latest, and is switched on again')
})
