// The network-boot client's half of DHCP (RFC 2131, RFC 2132, PXE 2.1, RFC 4578): pure bytes, no socket. It shares
// nothing with the server on purpose: two codecs that were written apart catch each other's mistakes.

import { LabError } from '../errors.ts'

/** Who asks: the machine's hardware, and which program of its boot speaks. */
export type DhcpClient = {
  /** Lower case with colons. */
  readonly mac: string
  readonly uuid: string
  /** `firmware`: a BIOS that boots by PXE; `ipxe`: the loader it got. */
  readonly stage: 'firmware' | 'ipxe'
}

/** What the client takes from an OFFER or an ACK. */
export type DhcpReply = {
  readonly kind: 'offer' | 'ack' | 'nak'
  readonly transaction: number
  /** The address given; `0.0.0.0` when the server only offers a loader (proxyDHCP). */
  readonly address: string
  readonly prefix: number
  readonly server: string
  readonly router?: string
  readonly dns: readonly string[]
  readonly domain?: string
  readonly hostName?: string
  readonly leaseSeconds: number
  /** The host that has the loader, and the loader's name or URL; both empty when none is offered. */
  readonly nextServer: string
  readonly file: string
}

const COOKIE = 0x63825363
const [DISCOVER, OFFER, REQUEST, ACK, NAK] = [1, 2, 3, 5, 6] as const
const BROADCAST = 0x8000
const WANTED = [1, 3, 6, 12, 15, 28, 43, 51, 54, 60, 66, 67, 97, 175]

/** The DHCPDISCOVER of a client that has no address yet. `elapsedSeconds` counts from its first one. */
export function encodeDiscover(client: DhcpClient, transaction: number, elapsedSeconds: number): Uint8Array {
  return encode(client, transaction, elapsedSeconds, DISCOVER, [])
}

/** The DHCPREQUEST that takes what `offer` gives. */
export function encodeRequest(client: DhcpClient, offer: DhcpReply, elapsedSeconds: number): Uint8Array {
  return encode(client, offer.transaction, elapsedSeconds, REQUEST, [
    [50, ipv4Bytes(offer.address)],
    [54, ipv4Bytes(offer.server)],
  ])
}

/**
 * Reads a reply of a server to `mac`; undefined when the datagram is meant for another client.
 *
 * @throws {LabError} MALFORMED_PACKET
 */
export function decodeReply(bytes: Uint8Array, mac: string): DhcpReply | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 241 || view.getUint32(236) !== COOKIE)
    throw new LabError(
      'MALFORMED_PACKET',
      `${bytes.length} bytes are not a DHCP message: no magic cookie at 236.`,
    )
  if (bytes[0] !== 2 || mac !== macText(bytes.subarray(28, 34))) return undefined
  const options = decodeOptions(bytes.subarray(240))
  const overload = options.get(52)?.[0] ?? 0
  const kind = KINDS.get(options.get(53)?.[0] ?? 0)
  if (kind === undefined) return undefined
  const text = (code: number): string | undefined => withoutZeros(options.get(code))
  const address = (code: number): string | undefined => addresses(options.get(code))[0]
  const router = address(3)
  const domain = text(15)
  const hostName = text(12)
  return {
    kind,
    transaction: view.getUint32(4),
    address: ipv4Text(bytes.subarray(16, 20)),
    prefix: prefixLength(options.get(1)),
    server: address(54) ?? ipv4Text(bytes.subarray(20, 24)),
    ...(router !== undefined && { router }),
    dns: addresses(options.get(6)),
    ...(domain !== undefined && { domain }),
    ...(hostName !== undefined && { hostName }),
    leaseSeconds: secondsOf(options.get(51)),
    nextServer: text(66) ?? ipv4Text(bytes.subarray(20, 24)),
    file: text(67) ?? ((overload & 1) === 0 ? (withoutZeros(bytes.subarray(108, 236)) ?? '') : ''),
  }
}

const KINDS = new Map<number, DhcpReply['kind']>([
  [OFFER, 'offer'],
  [ACK, 'ack'],
  [NAK, 'nak'],
])

function encode(
  client: DhcpClient,
  transaction: number,
  elapsedSeconds: number,
  message: number,
  more: readonly (readonly [code: number, value: Uint8Array])[],
): Uint8Array {
  const options: (readonly [number, Uint8Array])[] = [
    [53, Uint8Array.of(message)],
    [57, Uint8Array.of(0x05, 0xc0)],
    [60, asciiBytes('PXEClient:Arch:00000:UNDI:002001')],
    [93, Uint8Array.of(0, 0)],
    [94, Uint8Array.of(1, 2, 1)],
    [97, Uint8Array.of(0, ...uuidBytes(client.uuid))],
    ...(client.stage === 'ipxe'
      ? [[77, asciiBytes('iPXE')] as const, [175, Uint8Array.of(0xb1, 1, 1, 19, 1, 1)] as const]
      : []),
    [55, Uint8Array.from(WANTED)],
    ...more,
  ]
  const field = options.flatMap(([code, value]) => [code, value.length, ...value])
  const bytes = new Uint8Array(Math.max(300, 241 + field.length))
  const view = new DataView(bytes.buffer)
  bytes.set([1, 1, 6, 0])
  view.setUint32(4, transaction)
  view.setUint16(8, elapsedSeconds)
  view.setUint16(10, BROADCAST) // a UDP socket receives no unicast before its interface has the address
  bytes.set(macBytes(client.mac), 28)
  view.setUint32(236, COOKIE)
  bytes.set([...field, 255], 240)
  return bytes
}

/** Options as sent; parts of one option are joined (RFC 3396 §7), a cut last one is an error. */
function decodeOptions(field: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>()
  for (let at = 0; at < field.length;) {
    const code = field[at]! // at < field.length
    if (code === 255) break
    if (code === 0) {
      at += 1
      continue
    }
    const length = field[at + 1] ?? 0
    const value = field.subarray(at + 2, at + 2 + length)
    if (at + 2 + length > field.length)
      throw new LabError('MALFORMED_PACKET', `DHCP option ${code} at ${at} runs past the end of the message.`)
    options.set(code, Uint8Array.of(...(options.get(code) ?? []), ...value))
    at += 2 + length
  }
  return options
}

function asciiBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function withoutZeros(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined
  const end = value.indexOf(0)
  const text = new TextDecoder().decode(end === -1 ? value : value.subarray(0, end))
  return text === '' ? undefined : text
}

function addresses(value: Uint8Array = new Uint8Array()): string[] {
  return Array.from({ length: Math.floor(value.length / 4) }, (_, at) =>
    ipv4Text(value.subarray(at * 4, at * 4 + 4)),
  )
}

function prefixLength(mask: Uint8Array | undefined): number {
  const ones = [...(mask ?? [255, 255, 255, 0])].map(byte => byte.toString(2).padStart(8, '0')).join('')
  return ones.lastIndexOf('1') + 1
}

function secondsOf(value: Uint8Array = new Uint8Array()): number {
  return value.reduce((sum, byte) => sum * 256 + byte, 0)
}

function ipv4Text(bytes: Uint8Array): string {
  return bytes.join('.')
}

function ipv4Bytes(address: string): Uint8Array {
  return Uint8Array.from(address.split('.'), Number)
}

function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':'), byte => Number.parseInt(byte, 16))
}

function macText(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(':')
}

/** The first three fields of a UUID travel in little-endian order, as SMBIOS keeps them (RFC 4578 §2.3). */
function uuidBytes(uuid: string): Uint8Array {
  const bytes = Uint8Array.from(uuid.replaceAll('-', '').match(/../g) ?? [], byte =>
    Number.parseInt(byte, 16),
  )
  bytes.subarray(0, 4).reverse()
  bytes.subarray(4, 6).reverse()
  bytes.subarray(6, 8).reverse()
  return bytes
}
