import fc from 'fast-check'
import t from 'tap'
import { bytesOf, textOf } from '#model/text.ts'

t.test('any bytes come back as they were', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
      t.ok(bytesOf(textOf(bytes)).equals(bytes))
    }),
    { numRuns: 500 },
  )
  t.end()
})

t.test('UTF-8 beside bytes that are not is read unchanged', t => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      t.equal(textOf(Buffer.concat([Buffer.from(text), Buffer.of(0xff)])), `${text}\udcff`)
    }),
  )
  t.end()
})

t.test('every sequence that UTF-8 forbids is kept byte by byte', t => {
  const forbidden = [
    '80',
    'c0af',
    'c1bf',
    'e08080',
    'e09fbf',
    'eda080',
    'edbfbf',
    'f08fbfbf',
    'f4908080',
    'f5808080',
  ]
  for (const hex of [...forbidden, 'e282', 'f09f98', 'c3', 'ff']) {
    const bytes = Buffer.from(hex, 'hex')
    t.equal(textOf(bytes), [...bytes].map(byte => String.fromCharCode(0xdc00 + byte)).join(''), hex)
  }
  t.end()
})

t.test('a megabyte that is not text at all is read within a second', t => {
  const bytes = Buffer.alloc(1 << 20, Buffer.of(0xff, 0x41, 0xe2, 0x82, 0x7f, 0xc0))
  const began = performance.now()
  const text = textOf(bytes)
  t.ok(performance.now() - began < 1000)
  t.ok(bytesOf(text).equals(bytes))
  t.end()
})
