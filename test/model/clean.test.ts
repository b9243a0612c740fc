import fc from 'fast-check'
import t from 'tap'
import { cleanLabel, cleanLines, cleanText, escapeJson, labelsText, LIMITS } from '#model/clean.ts'
import { textOf } from '#model/text.ts'

/** What may not be left: control, format and separator characters, and halves of pairs. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

t.test('writes what a terminal would obey as an escape', async t => {
  const rows: [string, string][] = [
    ['rack a, Gestell ä, 架', 'rack a, Gestell ä, 架'],
    ['\x1b[2J', '\\x1b[2J'],
    ['two\r\nlines\tand a tab', 'two\\x0d\\x0alines\\x09and a tab'],
    ['\x7f\x9b31m\0', '\\x7f\\x9b31m\\x00'],
    ['\u202egnp.exe\u2066', '\\u{202e}gnp.exe\\u{2066}'],
    ['a\u200bb\ufeff', 'a\\u{200b}b\\u{feff}'],
    ['line\u2028end\u2029', 'line\\u{2028}end\\u{2029}'],
    ['\u{e0041}', '\\u{e0041}'],
    [textOf(Buffer.of(0x61, 0xff, 0x9b)), 'a\\xff\\x9b'],
    ['\ud83d', '\\u{d83d}'],
    ['\u{1f600}', '\u{1f600}'],
    ['\\x1b', '\\x1b'],
  ]
  for (const [text, clean] of rows) t.equal(cleanText(text), clean)
})

t.test('whatever comes in, the text is safe, short, and the same when it is cleaned again', async () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 700 }),
    fc.uint8Array({ maxLength: 700 }).map(textOf),
  )
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 400 }), (text, limit) => {
      const clean = cleanText(text, limit)
      const isSame = text.length > limit || UNSAFE.test(text) || clean === text
      return clean.length <= limit && !UNSAFE.test(clean) && cleanText(clean, limit) === clean && isSame
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(texts, text => {
      const label = cleanLabel(text)
      return (
        Buffer.byteLength(label) <= LIMITS.labelBytes && !UNSAFE.test(label) && cleanLabel(label) === label
      )
    }),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 400 }), (text, limit) => {
      const clean = cleanLines(text, limit)
      return (
        clean.length <= limit &&
        !UNSAFE.test(clean.replaceAll(/[\n\t]/g, '')) &&
        cleanLines(clean, limit) === clean
      )
    }),
    { numRuns: 2000 },
  )
})

t.test('a line of JSON has the same value without a character that a terminal obeys', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const line = escapeJson(JSON.stringify({ text }))
      return !UNSAFE.test(line) && (JSON.parse(line) as { text: string }).text === text
    }),
    { numRuns: 1000 },
  )
})

t.test('says where something was cut, and keeps the end of a log', async t => {
  t.equal(cleanText('a'.repeat(300)).length, 300)
  t.equal(cleanText('a'.repeat(301)), `${'a'.repeat(299)}…`)
  t.equal(cleanLabel('ä'.repeat(200)), `${'ä'.repeat(126)}…`)
  t.equal(cleanLines('begin\nmiddle\nend', 8), '…dle\nend')
})

t.test('lists sixteen labels and counts the others', async t => {
  const labels = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`k${at}`, 'v']))
  t.match(labelsText(labels), /^k0=v .* k15=v and 4 more$/)
  t.equal(labelsText({}), '')
})
