// Some thousand made-up questions of each kind, answered by us as by Go itself; `bench/matchbox.ts` asks millions.

import t from 'tap'
import { spawnSync } from 'node:child_process'
import { sfc32 } from '../../bench/random.ts'
import { askGo } from './go.ts'
import { KINDS } from './kinds.ts'

/** Questions of each kind. */
const COUNT = 3000

const isThere = spawnSync('go', ['version']).status === 0
const skip = isThere ? false : 'needs Go, of which the standard library is the peer'

t.test('what Go says is what we say, whatever the request, template or file', { skip }, async t => {
  const asked = Object.entries(KINDS).flatMap(([kind, ask], turn) => {
    const random = sfc32(20261130 + turn)
    return Array.from({ length: COUNT }, () => ({ kind, ...ask(random) }))
  })
  const answers = await askGo(asked.map(({ question }) => question))
  const alike: Record<string, number> = {}
  const usable: Record<string, number> = {}
  for (const [turn, { kind, shown, ours, go }] of asked.entries()) {
    const said = go(answers[turn]!) // as many as were asked
    if (said === ours) alike[kind] = (alike[kind] ?? 0) + 1
    else t.equal(ours, said, `${kind}: ${shown}`)
    if (said !== 'error' && said !== 'no date') usable[kind] = (usable[kind] ?? 0) + 1
  }
  t.strictSame(alike, { date: COUNT, content: COUNT, template: COUNT, group: COUNT, profile: COUNT })
  for (const [kind, count] of Object.entries(usable))
    t.ok(count > COUNT / 10, `${kind}: Go takes ${count}, so that more than errors is compared`)
})
