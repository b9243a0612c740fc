// The order of the chart stage: what may start, what a failure stops, which plans are refused.

import fc from 'fast-check'
import t from 'tap'
import {
  checkGraph,
  newlyBlocked,
  runGraph,
  startable,
  type Step,
  type StepState,
} from '#rack/charts/plan/graph.ts'

const step = (id: string, ...needs: string[]): Step => ({ id, needs })
const ids = (steps: readonly Step[]) => steps.map(({ id }) => id).join(' ')
const diamond = [step('a'), step('b', 'a'), step('c', 'a'), step('d', 'b', 'c')]

const cases: { states: Record<string, StepState>; start: string; blocked: string }[] = [
  { states: {}, start: 'a', blocked: '' },
  { states: { a: 'running' }, start: '', blocked: '' },
  { states: { a: 'done' }, start: 'b c', blocked: '' },
  { states: { a: 'done', b: 'done', c: 'running' }, start: '', blocked: '' },
  { states: { a: 'done', b: 'failed' }, start: 'c', blocked: 'd' },
  { states: { a: 'failed' }, start: '', blocked: 'b c d' },
]
for (const { states, start, blocked } of cases) {
  t.test(
    `with ${JSON.stringify(states)} these start: "${start}", and these never will: "${blocked}"`,
    async t => {
      const map = new Map(Object.entries(states))
      t.equal(ids(startable(diamond, map)), start)
      t.equal(ids(newlyBlocked(diamond, map)), blocked)
    },
  )
}

t.test(
  'a plan that cannot be run is refused before anything starts, with the step and the remedy',
  async t => {
    t.throws(() => checkGraph([step('a', 'z')]), { code: 'CHART_PLAN', message: /a needs z.*Add it/ })
    t.throws(() => checkGraph([step('a'), step('a')]), { message: /has a twice/ })
    t.throws(() => checkGraph([step('a', 'b'), step('b', 'c'), step('c', 'a')]), {
      message: /a -> b -> c -> a/,
    })
    await t.rejects(
      runGraph([step('a', 'a')], () => Promise.reject(new Error('started'))),
      { code: 'CHART_PLAN' },
    )
  },
)

t.test('whatever the graph and whatever fails: needs come first, only dependants are stopped', async () => {
  // Each step needs some of the steps before it, so there is never a circle.
  const graph = fc
    .array(fc.record({ needs: fc.array(fc.nat(20)), fails: fc.boolean(), turns: fc.nat(3) }), {
      maxLength: 12,
    })
    .map(rows =>
      rows.map(({ needs, ...rest }, index) => ({
        id: String(index),
        needs: [...new Set(needs.filter(need => need < index).map(String))],
        ...rest,
      })),
    )
  await fc.assert(
    fc.asyncProperty(graph, async steps => {
      const ended = new Set<string>()
      const { states, errors } = await runGraph(steps, async ({ id, needs, fails, turns }) => {
        if (needs.some(need => !ended.has(need))) throw new Error(`${id} started before its needs`)
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
        if (fails) throw new Error('wanted')
        ended.add(id)
      })
      const lost = new Set<string>()
      for (const { id, needs, fails } of steps) {
        const blocked = needs.some(need => lost.has(need))
        if (blocked || fails) lost.add(id)
        const expected = blocked ? 'blocked' : fails ? 'failed' : 'done'
        if (states.get(id) !== expected) return false
        if (fails && !blocked && (errors.get(id) as Error).message !== 'wanted') return false
      }
      return true
    }),
  )
})

t.test('steps without needs run side by side', async t => {
  let running = 0
  let most = 0
  const { promise: allRun, resolve: release } = Promise.withResolvers<void>()
  await runGraph([step('a'), step('b'), step('c')], async () => {
    running += 1
    most = Math.max(most, running)
    if (running === 3) release()
    await allRun
  })
  t.equal(most, 3)
})
