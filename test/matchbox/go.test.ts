// Some thousand made-up questions of each kind, answered by us as by Go itself; `bench/matchbox.ts` asks millions.

import t from 'tap'
import { spawnSync } from 'node:child_process'
import { sfc32 } from '../../bench/random.ts'
import { askGo } from './go.ts'
import { KINDS } from './kinds.ts'

const isThere = spawnSync('go', ['version']).status === 0
const skip = isThere ? false : 'needs Go, of which the standard library is the peer'

t.test('what Go says is what we say, whatever the request, template or file', { skip }, async t => {
  const asked = Object.entries(KINDS).flatMap(([kind, ask], turn) => {
    const random = sfc32(20261130 + turn)
    return Array.from({ length: 3000 }, () => ({ kind, ...ask(random) }))
  })
  const answers = await askGo(asked.map(({ question }) => question))
  for (const [turn, { kind, shown, ours, go }] of asked.entries()) {
    const said = go(answers[turn]!) // as many as were asked
    if (said !== ours) t.equal(ours, said, `${kind}: ${shown}`)
  }
  t.equal(new Set(asked.map(({ kind }) => kind)).size, Object.keys(KINDS).length)
})
