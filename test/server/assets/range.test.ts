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

t.test('numbers of a range are those of Go', async t => {
  t.same(rangesOf('bytes=+1-+3', 35), [{ start: 1, length: 3 }])
  t.same(rangesOf('bytes=-+7', 35), [{ start: 28, length: 7 }])
  t.same(rangesOf('bytes=007-9', 35), [{ start: 7, length: 3 }])
  t.same(rangesOf('bytes=0-9223372036854775807', 35), [{ start: 0, length: 35 }])
  t.same(rangesOf('bytes=-9223372036854775807', 35), [{ start: 0, length: 35 }])
  t.same(rangesOf('bytes=-0', 35), [{ start: 35, length: 0 }])
  t.same(rangesOf('bytes=0-1,99-nonsense', 35), [{ start: 0, length: 2 }])
  t.equal(rangesOf('bytes=99-nonsense', 35), 'invalid range: failed to overlap')
  t.equal(rangesOf('bytes=9223372036854775807-', 35), 'invalid range: failed to overlap')
  for (const header of [
    'bytes=0-N',
    'bytes=0-9223372036854775808',
    'bytes=9223372036854775808-',
    'bytes=-9223372036854775808',
    'bytes=1--3',
    'bytes=--3',
    'bytes=-1-3',
    'bytes=0x1-3',
    'bytes=1_0-20',
    'bytes=1e1-20',
    'bytes=1 0-20',
    'bytes=+-3',
    'Bytes=0-1',
    'bytes 0-1',
  ])
    t.equal(rangesOf(header, 35), 'invalid range', header)
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
        if (plan.parts.some(({ start, length }) => start < 0 || length < 0 || start + length > size))
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

t.test('lists of tags end where a tag is not well-formed, and weak tags are not strong', async t => {
  for (const list of ['*', ' ,, *', '"c" *', '"c","a-b"', '"c""a-b"', '"a-b" junk'])
    t.equal(statusOf({ 'if-match': list }), 200, list)
  for (const list of ['a-b', '"c" junk "a-b"', 'W/"a-b"', 'w/"a-b"', '"a-b', '"a b", "a-b"', ','])
    t.equal(statusOf({ 'if-match': list }), 412, list)
  t.equal(statusOf({ 'if-match': '' }), 200)
  t.equal(statusOf({ 'if-none-match': '', 'if-modified-since': date }), 304)
  t.equal(statusOf({ 'if-none-match': 'junk', 'if-modified-since': date }), 200)
  t.equal(statusOf({ 'if-match': '"a-b"', 'if-unmodified-since': before }), 200)
  t.equal(statusOf({ range: 'bytes=0-1', 'if-range': 'W/"a-b"' }), 200)
  t.equal(statusOf({ range: 'bytes=0-1', 'if-range': '"a-b" junk' }), 206)
  t.equal(statusOf({ range: 'bytes=0-1', 'if-range': 'junk' }), 200)
})

t.test('dates count in all forms, and only for methods that read', async t => {
  t.equal(statusOf({ 'if-modified-since': 'Tuesday, 02-Jan-24 03:04:05 GMT' }), 304)
  t.equal(statusOf({ 'if-modified-since': 'Tue Jan  2 03:04:05 2024' }), 304)
  t.equal(statusOf({ 'if-unmodified-since': 'Mon Jan  1 03:04:05 2024' }), 412)
  t.equal(statusOf({ 'if-modified-since': date }, 'POST'), 200)
  t.equal(statusOf({ range: 'bytes=0-1', 'if-range': before }, 'POST'), 206)
  const undated = { size: 10, mtimeMs: 0 }
  t.equal(planOf('GET', { 'if-modified-since': date }, undated).status, 200)
  t.equal(planOf('GET', { 'if-unmodified-since': 'Wed, 31 Dec 1969 23:59:59 GMT' }, undated).status, 200)
})

t.test('a range of another version of the file is not sent', async t => {
  const range = 'bytes=0-3'
  t.equal(statusOf({ range }), 206)
  t.equal(statusOf({ range, 'if-range': '"a-b"' }), 206)
  t.equal(statusOf({ range, 'if-range': date }), 206)
  t.equal(statusOf({ range, 'if-range': '"old"' }), 200)
  t.equal(statusOf({ range, 'if-range': before }), 200)
})
