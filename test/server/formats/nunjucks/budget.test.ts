// What one rendering may cost: what is counted is never given back, whatever a template passes to what it calls.

import t from 'tap'
import fc from 'fast-check'
import { Budget } from '#server/formats/nunjucks/budget.ts'
import { FILTERS, TESTS } from '#server/formats/nunjucks/filters.ts'
import { FUNCTIONS } from '#server/formats/nunjucks/functions.ts'
import { Callable, LIST_METHODS, memberOf, TEXT_METHODS } from '#server/formats/nunjucks/values.ts'
import { Templates } from '#server/boot/render/templates.ts'

/** Keeps what it is asked to count. */
class Counts extends Budget {
  readonly asked: number[] = []

  override step(count = 1): void {
    this.asked.push(count)
    super.step(count)
  }

  override write(count: number): void {
    this.asked.push(count)
    super.write(count)
  }
}

const NUMBERS = [-1, -2, -0.5, -1e9, -1e300, 0, 3, 1e9, 2 ** 53, 1e300, Number.NaN, Infinity, -Infinity]
const number = fc.constantFrom<unknown>(...NUMBERS, ...NUMBERS.map(String))
const other = fc.constantFrom<unknown>('', 'a', ' ', ',', 'value', undefined, true, ['a', -1e9], { a: -1e9 })
const argument = fc.oneof(number, other)
const value = fc.oneof(
  number,
  other,
  fc.constantFrom<unknown>('a a, a', ['c', 'a', -1e9], [{ a: -1e9 }], { a: 'x', b: [1] }),
)
const given = fc.record({
  value,
  args: fc.array(argument, { maxLength: 4 }),
  named: fc.dictionary(
    fc.constantFrom('default', 'base', 'reverse', 'case_sensitive', 'attribute'),
    argument,
    { maxKeys: 2 },
  ),
})

type Given = {
  readonly value: unknown
  readonly args: readonly unknown[]
  readonly named: Readonly<Record<string, unknown>>
}

/** All that templates can call, by a name for the title. */
const CALLED: readonly (readonly [name: string, call: (given: Given, budget: Budget) => unknown])[] = [
  ...Array.from(
    FILTERS,
    ([name, filter]) =>
      [
        `the filter ${name}`,
        ({ value: of, args, named }: Given, budget: Budget) =>
          filter(of, { args, named: new Map(Object.entries(named)), budget }),
      ] as const,
  ),
  ...Array.from(
    TESTS,
    ([name, test]) =>
      [
        `the test ${name}`,
        ({ value: of, args }: Given, budget: Budget) => test(of, args[0], budget),
      ] as const,
  ),
  ...[...TEXT_METHODS.keys(), ...LIST_METHODS.keys()].map(
    name =>
      [
        `the method ${name}`,
        ({ value: of, args }: Given, budget: Budget) => called(memberOf(of, name), args, budget),
      ] as const,
  ),
  ...Array.from(
    FUNCTIONS,
    ([name, made]) =>
      [
        `the function ${name}`,
        ({ args }: Given, budget: Budget) => {
          const result = called(made, args, budget)
          for (const inner of [result, memberOf(result, 'next'), memberOf(result, 'reset')])
            called(inner, args, budget)
        },
      ] as const,
  ),
]

function called(callee: unknown, args: readonly unknown[], budget: Budget): unknown {
  return callee instanceof Callable ? callee.call(args, new Map(), budget) : undefined
}

t.test('nothing that a template calls gives back what was counted', async t => {
  t.ok(CALLED.length > 80, 'filters, tests, methods and functions')
  for (const [name, call] of CALLED) {
    const isNeverLess = fc.property(given, input => {
      const budget = new Counts()
      try {
        call(input, budget)
      } catch (error) {
        if (!(error instanceof Error)) throw error // a refusal is an answer, too
      }
      return !budget.asked.some(count => count < 0)
    })
    t.doesNotThrow(() => fc.assert(isNeverLess, { numRuns: 600 }), name)
  }
})

t.test('a count below zero, or none at all, is refused and changes nothing', async t => {
  for (const [count, most] of [
    ['step', 200_000],
    ['write', 8 << 20],
  ] as const) {
    for (const asked of NUMBERS.filter(it => !(it >= 0))) {
      const budget = new Budget()
      budget[count](most)
      t.throws(() => budget[count](asked), { code: 'OVER_BUDGET' }, `${count} ${asked}`)
      t.throws(() => budget[count](1), { code: 'OVER_BUDGET' }, 'it is as full as before')
    }
  }
})

t.test('large templates that displace each other are compiled a few times only', async t => {
  const large = `{% macro m() %}${'{{1}}'.repeat(26_000)}{% endmacro %}`
  const files: Readonly<Record<string, string>> = {
    'a.njk': large,
    'b.njk': large,
    'c.njk': '{% for i in range(99) %}{% include "a.njk" %}{% include "b.njk" %}{% endfor %}',
  }
  let read = 0
  const templates = new Templates({
    stampOf: name => (files[name] === undefined ? undefined : '1'),
    textOf: name => {
      if (files[name] === large) read += 1
      return files[name]
    },
    bytesOf: () => undefined,
  })
  t.throws(() => templates.render('c.njk', {}), { message: /c.njk cannot .* line 1, .*8 million characters/ })
  t.ok(read <= 3, `${read} times`)
  const context = {}
  const renderTexts = () => {
    for (let at = 0; at < 9; at += 1) templates.renderText('arguments', `${at}${large}`, context)
  }
  t.throws(renderTexts, { code: 'TEMPLATE_FAILED', message: /8 million characters/ }, 'texts of one request')
})
