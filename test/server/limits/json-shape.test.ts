import fc from 'fast-check'
import t from 'tap'
import { isWithin } from '#server/limits/json-shape.ts'

const MOST = { depth: 3, values: 10 }

t.test('takes what is shallow and narrow, and nothing else', async t => {
  const rows: [string, boolean][] = [
    ['', true],
    ['{"key":"age1"}', true],
    ['{"a":{"b":[1]}}', true],
    ['{"a":{"b":[[1]]}}', false],
    ['['.repeat(4), false],
    ['[1,2,3,4,5,6,7,8,9]', true],
    ['[1,2,3,4,5,6,7,8,9,10]', false],
    ['[[[]],[[]]]', true],
    ['[[[]],[[]],[[]],[[]]]', false],
    ['"[[[[[[[[[[,,,,,,,,,,,,,"', true],
    ['{"a":"\\"[[[[[[[[[[[","b":1}', true],
    ['{"a":"\\\\","b":[[[[1]]]]}', false],
    [']]]]]]]]', true],
  ]
  for (const [text, wanted] of rows) t.equal(isWithin(text, MOST), wanted, text)
})

t.test('agrees with what a parser makes of the text', async () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.nat(8), fc.nat(40), (text, depth, values) => {
      const shape = shapeOf(JSON.parse(text))
      // A key of an object that is there twice is one value for the parser.
      const isExact = isWithin(text, { depth, values: 1e6 }) === shape.depth <= depth
      return isExact && (shape.values <= values || !isWithin(text, { depth: 9, values }))
    }),
  )
})

function shapeOf(value: unknown): { depth: number; values: number } {
  if (typeof value !== 'object' || value === null) return { depth: 0, values: 1 }
  const inner = Object.values(value).map(shapeOf)
  const values = inner.reduce((sum, one) => sum + one.values, 0)
  return { depth: 1 + Math.max(0, ...inner.map(one => one.depth)), values: Math.max(1, values) }
}
