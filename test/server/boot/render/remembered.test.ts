import t from 'tap'
import fc from 'fast-check'
import { remembered } from '#server/boot/render/remembered.ts'

t.test('a result is made once, until others need its room', async t => {
  let made = 0
  const upper = remembered(text => ({ value: `${text.toUpperCase()}${(made += 1)}`, size: 1 }), 6)
  t.equal(upper('a'), 'A1')
  t.equal(upper('b'), 'B2')
  t.equal(upper('a'), 'A1')
  t.equal(upper('c'), 'C3')
  t.equal(upper('a'), 'A1', 'it was asked for lately')
  t.equal(upper('d'), 'D4')
  t.equal(upper('b'), 'B5', 'the oldest had to go')
})

t.test('what has no size, or more than there is room for, is made each time', async t => {
  let made = 0
  const count = remembered(text => ({ value: (made += 1), ...(text === 'large' ? { size: 99 } : {}) }), 10)
  t.strictSame([count('x'), count('x'), count('large'), count('large')], [1, 2, 3, 4])
})

t.test('it never gives the result of another text', async () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'cc', 'dddd', '')), texts => {
      const same = remembered(text => ({ value: text, size: text.length }), 7)
      return texts.every(text => same(text) === text)
    }),
  )
})
