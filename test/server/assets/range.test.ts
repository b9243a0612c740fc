import t from 'tap'
import fc from 'fast-check'
import { isUnchanged, mayRange, rangeOf } from '#server/assets/range.ts'

t.test('a range is read as RFC 9110 has it', async t => {
  t.same(rangeOf('bytes=0-3', 35), { start: 0, length: 4 })
  t.same(rangeOf('bytes=30-', 35), { start: 30, length: 5 })
  t.same(rangeOf('bytes=-7', 35), { start: 28, length: 7 })
  t.same(rangeOf('bytes=-99', 35), { start: 0, length: 35 })
  t.same(rangeOf('bytes=30-99', 35), { start: 30, length: 5 })
  t.equal(rangeOf('bytes=35-', 35), 'unsatisfiable')
  t.equal(rangeOf(undefined, 35), undefined)
  t.equal(rangeOf('lines=1-2', 35), undefined)
  t.equal(rangeOf('bytes=9-3', 35), undefined)
})

t.test('a range never leaves the file', async () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), fc.nat(), fc.nat(1000), (junk, first, last, size) => {
      for (const header of [junk, `bytes=${first}-${last}`, `bytes=-${last}`, `bytes=${first}-`]) {
        const range = rangeOf(header, size)
        if (typeof range !== 'object') continue
        if (range.start < 0 || range.length <= 0 || range.start + range.length > size) return false
      }
      return true
    }),
  )
})

const file = { size: 10, etag: '"a-b"', mtimeMs: Date.parse('2024-01-02T03:04:05Z') + 250 }
const date = 'Tue, 02 Jan 2024 03:04:05 GMT'

t.test('a client that has the file is told so', async t => {
  t.ok(isUnchanged({ 'if-none-match': 'W/"a-b", "c"' }, file))
  t.ok(isUnchanged({ 'if-modified-since': date }, file))
  t.notOk(isUnchanged({ 'if-none-match': '"c"', 'if-modified-since': date }, file))
  t.notOk(isUnchanged({ 'if-modified-since': 'junk' }, file))
  t.notOk(isUnchanged({}, file))
})

t.test('a range of another version of the file is not sent', async t => {
  t.ok(mayRange({}, file))
  t.ok(mayRange({ 'if-range': '"a-b"' }, file))
  t.ok(mayRange({ 'if-range': date }, file))
  t.notOk(mayRange({ 'if-range': '"old"' }, file))
  t.notOk(mayRange({ 'if-range': 'Mon, 01 Jan 2024 03:04:05 GMT' }, file))
})
