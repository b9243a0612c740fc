import fc from 'fast-check'
import { createRequire } from 'node:module'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { addressIn, text } from '#server/protocols/dhcp/options.ts'
import {
  decodePacket,
  encodePacket,
  MESSAGE,
  messageTypeOf,
  type Packet,
} from '#server/protocols/dhcp/packet.ts'
import { anyPacket } from './arbitrary.ts'
import { discover } from './clients.ts'

const OURS = ['MALFORMED_PACKET', 'MALFORMED_OPTION']

const isOurs = (error: unknown) => OURS.includes((error as { code: string }).code)

t.test('whatever is encoded decodes to the same', async () => {
  fc.assert(fc.property(anyPacket, packet => isDeepStrictEqual(decodePacket(encodePacket(packet)), packet)))
})

t.test('no bytes throw anything but the codec’s own errors', async () => {
  const any = fc.uint8Array({ maxLength: 600 })
  const cookie = Uint8Array.of(99, 130, 83, 99)
  const nearly = fc
    .tuple(fc.uint8Array({ minLength: 236, maxLength: 236 }), any)
    .map(([header, options]) => Uint8Array.of(1, ...header.subarray(1), ...cookie, ...options))
  fc.assert(
    fc.property(fc.oneof(any, nearly), bytes => {
      try {
        decodePacket(bytes)
      } catch (error) {
        if (!isOurs(error)) throw error
      }
    }),
  )
})

t.test('a packet cut at any byte is refused, or read as what is left of it', async t => {
  const whole = encodePacket(discover.ipxe)
  for (let length = 0; length < whole.length; length += 1) {
    try {
      t.equal(decodePacket(whole.subarray(0, length)).mac, discover.ipxe.mac)
    } catch (error) {
      if (!isOurs(error)) throw error
    }
  }
})

t.test('a reply has at least 300 bytes, END before the padding', async t => {
  const bytes = encodePacket({ ...discover.plain, op: 'reply' })
  t.equal(bytes.length, 300)
  const end = bytes.indexOf(255, 240)
  t.ok(end > 0)
  t.ok(bytes.subarray(end + 1).every(byte => byte === 0))
})

t.test('reads options out of file and sname when option 52 says so', async t => {
  const bytes = encodePacket({ ...discover.plain, options: new Map([[52, Uint8Array.of(3)]]) })
  bytes.set([53, 1, 1, 255], 108) // file
  bytes.set([50, 4, 10, 20, 0, 7, 255], 44) // sname
  const packet = decodePacket(bytes)
  t.equal(messageTypeOf(packet), MESSAGE.discover)
  t.equal(addressIn(packet.options, 50), '10.20.0.7')
  t.match(packet, { bootFile: '', serverName: '' })
})

t.test('says what is wrong with bytes that are not a DHCP packet', async t => {
  const good = encodePacket(discover.plain)
  const withByte = (at: number, byte: number) => good.with(at, byte)
  t.throws(() => decodePacket(good.subarray(0, 100)), { code: 'MALFORMED_PACKET', message: /100 bytes/ })
  t.throws(() => decodePacket(withByte(0, 3)), { message: /neither request nor reply/ })
  t.throws(() => decodePacket(withByte(236, 0)), { message: /plain BOOTP/ })
  t.throws(() => decodePacket(withByte(2, 17)), { message: /hardware address of 17 bytes/ })
})

t.test('the dhcp package reads what we write, and we read what it writes', async t => {
  const protocol = createRequire(import.meta.url)('dhcp/lib/protocol.js') as {
    parse(bytes: Buffer): Record<string, unknown> & { options: Record<number, unknown> }
    format(packet: object): { _data: Buffer; _w: number }
  }
  const offer: Packet = {
    ...discover.plain,
    op: 'reply',
    yourAddress: '10.20.0.11',
    bootFile: 'undionly.kpxe',
    options: new Map([
      [53, Uint8Array.of(2)],
      [1, Uint8Array.of(255, 255, 255, 0)],
      [67, text('undionly.kpxe')],
    ]),
  }
  const read = protocol.parse(Buffer.from(encodePacket(offer)))
  t.match(read, { op: 2, xid: offer.transaction, yiaddr: '10.20.0.11' })
  t.match(read.options, { 53: 2, 1: '255.255.255.0', 67: 'undionly.kpxe' })

  const nowhere = '0.0.0.0'
  const header = {
    op: 1,
    htype: 1,
    hlen: 6,
    hops: 0,
    xid: 7,
    secs: 0,
    flags: 0x8000,
    sname: '',
    file: '',
    ciaddr: nowhere,
    yiaddr: nowhere,
    siaddr: nowhere,
    giaddr: nowhere,
  }
  const { _data, _w } = protocol.format({
    ...header,
    chaddr: '52-54-00-20-00-01',
    options: { 53: 1, 50: '10.20.0.7' },
  })
  const written = decodePacket(Uint8Array.from(_data.subarray(0, _w)))
  t.match(written, { op: 'request', transaction: 7, broadcast: true, mac: '52:54:00:20:00:01' })
  t.equal(addressIn(written.options, 50), '10.20.0.7')
})
