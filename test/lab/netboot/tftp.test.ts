import t from 'tap'
import { encodeReadRequest, startRead, takePacket } from '#lab/netboot/tftp.ts'

const text = (words: string): number[] => [...new TextEncoder().encode(words)]
const OACK = Uint8Array.of(0, 6, ...text('tsize\x00900\x00blksize\x00600\x00'))

t.test('a read asks for the size and for blocks that fill a frame', async t => {
  t.same(encodeReadRequest('a'), Uint8Array.of(0, 1, ...text('a\0octet\0tsize\x000\0blksize\x001456\0')))
})

t.test('a granted block size decides which block is the last', async t => {
  const agreed = takePacket(startRead('a'), OACK)
  t.match(agreed.read, { blockBytes: 600, totalBytes: 900, done: false })
  t.same(agreed.answer, Uint8Array.of(0, 4, 0, 0))
  const first = takePacket(agreed.read, Uint8Array.of(0, 3, 0, 1, ...new Uint8Array(600)))
  t.match(first.read, { block: 1, done: false })
  const last = takePacket(first.read, Uint8Array.of(0, 3, 0, 2, ...new Uint8Array(300)))
  t.match(last.read, { block: 2, done: true })
  t.same(last.answer, Uint8Array.of(0, 4, 0, 2))
  t.equal(last.data?.length, 300)
})

t.test('a repeated block is answered again and brings nothing', async t => {
  const block = Uint8Array.of(0, 3, 0, 1, ...new Uint8Array(512))
  const { read } = takePacket(startRead('a'), block)
  t.same(takePacket(read, block), { read, answer: Uint8Array.of(0, 4, 0, 1) })
})

t.test("a server's refusal is reported with its message", async t => {
  const error = Uint8Array.of(0, 5, 0, 1, ...text('no such file\0'))
  t.throws(() => takePacket(startRead('a'), error), { code: 'NO_BOOT', message: /error 1, no such file/ })
  t.throws(() => takePacket(startRead('a'), Uint8Array.of(0, 9)), { code: 'MALFORMED_PACKET' })
})

t.test('block numbers go on after 65535', async t => {
  const read = { ...startRead('a'), block: 65_535 }
  const step = takePacket(read, Uint8Array.of(0, 3, 0, 0, ...new Uint8Array(512)))
  t.same([step.read.block, step.answer], [65_536, Uint8Array.of(0, 4, 0, 0)])
})
