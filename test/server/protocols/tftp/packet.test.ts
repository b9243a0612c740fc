import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { decodeTftp, encodeTftp, optionOf, type TftpPacket } from '#server/protocols/tftp/packet.ts'

const word = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map(code => String.fromCharCode(code)) })
const name = word.filter(it => it !== '')
const block = fc.nat(0xffff)
const options = fc
  .uniqueArray(fc.tuple(name, word), { selector: ([key]) => key })
  .map(pairs => new Map(pairs) as ReadonlyMap<string, string>)

const anyPacket: fc.Arbitrary<TftpPacket> = fc
  .oneof(
    fc.record({
      kind: fc.constantFrom('read' as const, 'write' as const),
      file: word,
      mode: fc.constantFrom('octet', 'netascii', 'mail'),
      options,
    }),
    fc.record({ kind: fc.constant('data' as const), block, bytes: fc.uint8Array() }),
    fc.record({ kind: fc.constant('ack' as const), block }),
    fc.record({ kind: fc.constant('error' as const), error: block, text: word }),
    fc.record({ kind: fc.constant('optionAck' as const), options: options.filter(it => it.size > 0) }),
  )
  .map(packet => ({ ...packet }))

const isOurs = (error: unknown) => (error as { code?: string }).code === 'MALFORMED_TFTP'

t.test('whatever is encoded decodes to the same', async () => {
  fc.assert(fc.property(anyPacket, packet => isDeepStrictEqual(decodeTftp(encodeTftp(packet)), packet)))
})

t.test('no bytes throw anything but MalformedTftp, whole or cut at any byte', async () => {
  const anyBytes = fc.uint8Array({ maxLength: 100 })
  const cut = fc
    .tuple(anyPacket, fc.nat(200))
    .map(([packet, length]) => encodeTftp(packet).subarray(0, length))
  fc.assert(
    fc.property(fc.oneof(anyBytes, cut), bytes => {
      try {
        decodeTftp(bytes)
      } catch (error) {
        if (!isOurs(error)) throw error
      }
    }),
  )
})

t.test('reads what OVMF sends, and finds its options in any case', async t => {
  const bytes = Uint8Array.from(
    Buffer.from('\0\x01snponly.efi\0OCTET\0BLKSIZE\x001468\0windowsize\x004\0', 'latin1'),
  )
  const request = decodeTftp(bytes)
  t.match(request, { kind: 'read', file: 'snponly.efi', mode: 'octet' })
  if (request.kind !== 'read') return
  t.same(optionOf(request.options, 'blksize'), ['BLKSIZE', '1468'])
  t.same(optionOf(request.options, 'windowsize'), ['windowsize', '4'])
})

t.test('ignores padding behind a packet, and forgives a missing last NUL', async t => {
  t.same(decodeTftp(Uint8Array.of(0, 4, 0, 9, 0, 0, 0)), { kind: 'ack', block: 9 })
  const unended = Uint8Array.from(Buffer.from('\0\x01f\0octet\0tsize\x000', 'latin1'))
  t.match(decodeTftp(unended), { options: new Map([['tsize', '0']]) })
  const padded = Uint8Array.from(Buffer.from('\0\x01f\0octet\0\0\0\0', 'latin1'))
  t.match(decodeTftp(padded), { file: 'f', options: new Map() })
})

t.test('says what is wrong with bytes that are not a TFTP packet', async t => {
  t.throws(() => decodeTftp(Uint8Array.of(0, 1)), { code: 'MALFORMED_TFTP', message: /2 bytes/ })
  t.throws(() => decodeTftp(Uint8Array.of(0, 9, 0, 0)), { message: /opcode 9/ })
  t.throws(() => decodeTftp(Uint8Array.of(0, 1, 65, 0)), { message: /without file or mode/ })
})
