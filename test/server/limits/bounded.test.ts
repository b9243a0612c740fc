import t from 'tap'
import { keepLast } from '#server/limits/bounded.ts'

t.test('what was put in first goes first, and nothing while there is room', async t => {
  const map = new Map([1, 2, 3, 4].map(key => [key, `${key}`]))
  keepLast(map, 4)
  t.equal(map.size, 4)
  keepLast(map, 2)
  t.strictSame([...map.keys()], [3, 4])
  const set = new Set(['a', 'b'])
  keepLast(set, 0)
  t.equal(set.size, 0)
})
