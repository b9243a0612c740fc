import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import {
  addressIn,
  decodeOptions,
  encodeOptions,
  numberIn,
  optionsLength,
  text,
  textIn,
  type Options,
} from '#server/protocols/dhcp/options.ts'
import { anyOptions } from './arbitrary.ts'

const bytesOf = (options: Options) => {
  const bytes = new Uint8Array(optionsLength(options))
  encodeOptions(options, bytes, 0)
  return bytes
}

t.test('names the option and its place when the field is cut short', async t => {
  const cut = Uint8Array.of(0, 12, 9, 65) // PAD, then option 12 with one of its nine bytes
  t.throws(() => decodeOptions(cut), { code: 'MALFORMED_OPTION', offset: 1, message: /option 12/ })
  t.throws(() => decodeOptions(Uint8Array.of(53)), { code: 'MALFORMED_OPTION', message: /no length byte/ })
})

t.test('joins an option sent in parts, in the order sent', async t => {
  const parts = Uint8Array.of(67, 2, 97, 98, 53, 1, 1, 67, 1, 99, 255)
  t.equal(textIn(decodeOptions(parts), 67), 'abc')
})

t.test('forgives a missing END, and ignores what follows one', async t => {
  t.same([...decodeOptions(Uint8Array.of(53, 1, 1)).keys()], [53])
  t.same([...decodeOptions(Uint8Array.of(255, 53, 1, 1)).keys()], [])
})

t.test('writes a value of more than 255 bytes in parts', async t => {
  const bytes = bytesOf(new Map([[43, new Uint8Array(300).fill(7)]]))
  t.same([bytes[0], bytes[1], bytes[257], bytes[258]], [43, 255, 43, 45])
  t.equal(bytes.at(-1), 255)
})

t.test('reads text without the NUL and 0xFF bytes that firmware appends', async t => {
  t.equal(textIn(new Map([[67, Uint8Array.of(97, 0, 255)]]), 67), 'a')
})

t.test('a value of the wrong size reads as absent', async t => {
  const options = new Map([
    [50, Uint8Array.of(10, 0, 0)],
    [57, Uint8Array.of(1, 2, 3)],
    [12, text('x')],
  ])
  t.equal(addressIn(options, 50), undefined)
  t.equal(numberIn(options, 57), undefined)
  t.equal(numberIn(options, 51), undefined)
})

t.test('whatever is encoded decodes to the same', async () => {
  fc.assert(fc.property(anyOptions(), options => isDeepStrictEqual(decodeOptions(bytesOf(options)), options)))
})

t.test('no bytes throw anything but MalformedOption', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
      try {
        decodeOptions(bytes)
      } catch (error) {
        if ((error as { code?: string }).code !== 'MALFORMED_OPTION') throw error
      }
    }),
  )
})

t.test('copies no byte of an option in parts more than three times, however small the parts', async t => {
  const field = fc
    .tuple(
      fc.array(fc.tuple(fc.constantFrom(43, 61, 82), fc.integer({ min: 0, max: 3 })), { maxLength: 3000 }),
      fc.constantFrom(0, 43, 61),
    )
    .map(([parts, more]) => ({
      main: Uint8Array.from(parts.flatMap(([option, length]) => [option, length, ...Array(length).fill(7)])),
      // As `file` and `sname` are read where option 52 says so.
      further: Uint8Array.from(more === 0 ? [] : [more, 2, 1, 2, more, 1, 3]),
    }))
  fc.assert(
    fc.property(field, ({ main, further }) => {
      const { copied, allocated } = workOf(() => {
        const options = decodeOptions(main)
        decodeOptions(further, options)
        decodeOptions(further, options)
      })
      const most = 3 * (main.length + 2 * further.length)
      return copied <= most && allocated <= 3 * 3
    }),
  )
  const parts = Uint8Array.from(Array.from({ length: 21_000 }, () => [61, 1, 7]).flat())
  t.same(
    workOf(() => decodeOptions(parts)),
    { copied: 21_000, allocated: 1 },
    'of 63,000 bytes',
  )
})

type Copy = (this: Uint8Array, from: ArrayLike<number>, at?: number) => void

/** Counts the bytes that are copied between arrays, and the arrays that they are copied into. */
function workOf(work: () => void): { copied: number; allocated: number } {
  const { prototype } = Object.getPrototypeOf(Uint8Array) as { prototype: Record<'set', Copy> }
  const original = prototype.set
  let copied = 0
  const targets = new Set<unknown>()
  prototype.set = function (this: Uint8Array, from: ArrayLike<number>, at?: number) {
    copied += from.length
    targets.add(this)
    original.call(this, from, at)
  }
  try {
    work()
  } finally {
    prototype.set = original
  }
  return { copied, allocated: targets.size }
}
