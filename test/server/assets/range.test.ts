import t from 'tap'
import fc from 'fast-check'
import { planOf, rangesOf } from '#server/assets/range.ts'

t.test('a range is read as RFC 9110 has it', async t => {
  t.same(rangesOf('bytes=0-3', 35), [{ start: 0, length: 4 }])
  t.same(rangesOf('bytes=30-', 35), [{ start: 30, length: 5 }])
  t.same(rangesOf('bytes=-7', 35), [{ start: 28, length: 7 }])
  t.same(rangesOf('bytes=-99', 35), [{ start: 0, length: 35 }])
  t.same(rangesOf('bytes=30-99', 35), [{ start: 30, length: 5 }])
  t.same(rangesOf('bytes= 0-1 ,, 3-4 ', 35), [
    { start: 0, length: 2 },
    { start: 3, length: 2 },
  ])
  t.same(rangesOf('bytes=0-1,90-', 35), [{ start: 0, length: 2 }])
  t.same(rangesOf(undefined, 35), [])
  t.same(rangesOf('bytes=0-', 0), [])
})

t.test('a range that is none is refused, with the reason', async t => {
  for (const header of ['lines=1-2', 'bytes=9-3', 'bytes=x-y', 'bytes=5', 'bytes=-'])
    t.equal(rangesOf(header, 35), 'invalid range', header)
  t.equal(rangesOf('bytes=35-', 35), 'invalid range: failed to overlap')
})

t.test('a range never leaves the file, and is never more than it', async () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), fc.nat(), fc.nat(1000), (junk, first, last, size) => {
      for (const header of [
        junk,
        `bytes=${first}-${last}`,
        `bytes=-${last},${first}-`,
        `bytes=${first}-,0-`,
      ]) {
        const plan = planOf('GET', { range: header }, { size })
        if (plan.status !== 206) continue
        if (plan.parts.some(({ start, length }) => start < 0 || length <= 0 || start + length > size))
          return false
      }
      return true
    }),
  )
})

const file = { size: 10, etag: '"a-b"', mtimeMs: Date.parse('2024-01-02T03:04:05Z') + 250 }
const date = 'Tue, 02 Jan 2024 03:04:05 GMT'
const before = 'Mon, 01 Jan 2024 03:04:05 GMT'
const statusOf = (headers: Record<string, string>, method = 'GET') => planOf(method, headers, file).status

t.test('a client that has the file gets a 304', async t => {
  t.equal(statusOf({ 'if-none-match': 'W/"a-b", "c"' }), 304)
  t.equal(statusOf({ 'if-modified-since': date }), 304)
  t.equal(statusOf({ 'if-none-match': '"c"', 'if-modified-since': date }), 200)
  t.equal(statusOf({ 'if-modified-since': 'junk' }), 200)
  t.equal(statusOf({ 'if-modified-since': '2030-01-01' }), 200)
  t.equal(statusOf({ 'if-none-match': '*' }, 'PUT'), 412)
  t.equal(statusOf({}), 200)
})

t.test('a client that means another state of the file gets a 412', async t => {
  t.equal(statusOf({ 'if-match': '"c", "d"' }), 412)
  t.equal(statusOf({ 'if-match': '"c", "a-b"' }), 200)
  t.equal(statusOf({ 'if-unmodified-since': before }), 412)
  t.equal(statusOf({ 'if-unmodified-since': date }), 200)
})

t.test('a range of another version of the file is not sent', async t => {
  const range = 'bytes=0-3'
  t.equal(statusOf({ range }), 206)
  t.equal(statusOf({ range, 'if-range': '"a-b"' }), 206)
  t.equal(statusOf({ range, 'if-range': date }), 206)
  t.equal(statusOf({ range, 'if-range': '"old"' }), 200)
  t.equal(statusOf({ range, 'if-range': before }), 200)
})
