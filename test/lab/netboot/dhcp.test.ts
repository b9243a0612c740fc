import fc from 'fast-check'
import t from 'tap'
import { decodeReply, encodeDiscover, encodeRequest } from '#lab/netboot/dhcp.ts'
import type { DhcpClient } from '#lab/netboot/dhcp.ts'
import { LabError } from '#lab/errors.ts'

const CLIENT: DhcpClient = {
  mac: '52:54:00:20:00:01',
  uuid: '5a0e7f00-0020-4000-8000-0000000000ff',
  stage: 'firmware',
}

/** Options of a message as hexadecimal by code. */
function options(bytes: Uint8Array): Record<number, string> {
  const found: Record<number, string> = {}
  for (let at = 240; bytes[at] !== 255; at += 2 + (bytes[at + 1] ?? 0))
    found[bytes[at] ?? 0] = Buffer.from(bytes.subarray(at + 2, at + 2 + (bytes[at + 1] ?? 0))).toString('hex')
  return found
}

/** A server's message to the client, with these options as pairs of code and bytes. */
function reply(pairs: [number, number[]][], fields: { file?: string; yiaddr?: number[] } = {}): Uint8Array {
  const bytes = new Uint8Array(600)
  bytes.set([2, 1, 6, 0, 0, 0, 0, 7])
  bytes.set(fields.yiaddr ?? [10, 20, 0, 11], 16)
  bytes.set([10, 20, 0, 1], 20)
  bytes.set([0x52, 0x54, 0, 0x20, 0, 1], 28)
  bytes.set(new TextEncoder().encode(fields.file ?? ''), 108)
  bytes.set([0x63, 0x82, 0x53, 0x63], 236)
  bytes.set([...pairs.flatMap(([code, value]) => [code, value.length, ...value]), 255], 240)
  return bytes
}

t.test('a firmware sends its class, architecture and UUID, the UUID in the order of SMBIOS', async t => {
  const bytes = encodeDiscover(CLIENT, 0xabcdef01, 2)
  t.equal(Buffer.from(bytes.subarray(0, 12)).toString('hex'), '01010600abcdef0100028000')
  t.match(options(bytes), {
    53: '01',
    60: Buffer.from('PXEClient:Arch:00000:UNDI:002001').toString('hex'),
    93: '0000',
    97: '00007f0e5a2000004080000000000000ff',
  })
  t.notOk(options(bytes)[77])
})

t.test('iPXE sends its user class, and a REQUEST names address and server', async t => {
  const offer = decodeReply(
    reply([
      [53, [2]],
      [54, [10, 20, 0, 1]],
    ]),
    CLIENT.mac,
  )
  const bytes = encodeRequest({ ...CLIENT, stage: 'ipxe' }, offer!, 0) // the reply above is whole
  t.match(options(bytes), {
    53: '03',
    50: '0a14000b',
    54: '0a140001',
    77: Buffer.from('iPXE').toString('hex'),
  })
})

t.test('an offer is read with its network and loader', async t => {
  const pairs: [number, number[]][] = [
    [53, [2]],
    [1, [255, 255, 252, 0]],
    [3, [10, 20, 0, 1]],
    [6, [10, 20, 0, 1, 9, 9, 9, 9]],
    [51, [0, 0, 7, 8]],
    [54, [10, 20, 0, 1]],
  ]
  t.match(decodeReply(reply(pairs, { file: 'undionly.kpxe' }), CLIENT.mac), {
    kind: 'offer',
    transaction: 7,
    address: '10.20.0.11',
    prefix: 22,
    router: '10.20.0.1',
    dns: ['10.20.0.1', '9.9.9.9'],
    leaseSeconds: 1800,
    nextServer: '10.20.0.1',
    file: 'undionly.kpxe',
  })
})

t.test('the file may be in option 67', async t => {
  const file = [...new TextEncoder().encode('http://s/boot.ipxe\0')]
  t.match(
    decodeReply(
      reply([
        [53, [5]],
        [67, file],
      ]),
      CLIENT.mac,
    ),
    { kind: 'ack', file: 'http://s/boot.ipxe' },
  )
})

t.test("another machine's reply is not ours", async t => {
  t.equal(decodeReply(reply([[53, [2]]]), '52:54:00:20:00:02'), undefined)
})

t.test('no bytes make the reader throw anything but MALFORMED_PACKET', async () => {
  const cookie = Uint8Array.of(0x63, 0x82, 0x53, 0x63)
  const message = fc.tuple(
    fc.uint8Array({ minLength: 236, maxLength: 236 }),
    fc.uint8Array({ maxLength: 80 }),
  )
  fc.assert(
    fc.property(message, ([head, tail]) => {
      head.set([2])
      head.set([0x52, 0x54, 0, 0x20, 0, 1], 28)
      try {
        decodeReply(Uint8Array.of(...head, ...cookie, ...tail), CLIENT.mac)
        return true
      } catch (error) {
        return error instanceof LabError && error.code === 'MALFORMED_PACKET'
      }
    }),
  )
})
