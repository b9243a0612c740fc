// The DHCP packet (RFC 2131 §2) as plain data, and its bytes.

import { ipv4Bytes } from '#model/ipv4.ts'
import {
  addressIn,
  decodeOptions,
  encodeOptions,
  latin1,
  numberIn,
  OPTION,
  optionsLength,
  type Options,
} from './options.ts'

/** A packet of either direction. Addresses are dotted IPv4, `0.0.0.0` where none is meant. */
export type Packet = {
  readonly op: 'request' | 'reply'
  /** Kind of hardware, 1 is Ethernet. */
  readonly hardwareType: number
  /** Relays passed so far. */
  readonly hops: number
  /** Chosen by the client, the same in all packets of one exchange. */
  readonly transaction: number
  /** Seconds since the client began to ask. */
  readonly seconds: number
  /** The client cannot take a unicast packet before it has an address. */
  readonly broadcast: boolean
  /** The address that the client has and answers on. */
  readonly clientAddress: string
  /** The address that the server gives (`yiaddr`). */
  readonly yourAddress: string
  /** Where the boot file is fetched (`siaddr`). */
  readonly nextServer: string
  /** The relay's address on the client's network (`giaddr`). */
  readonly relayAddress: string
  /** The hardware address, lower case with colons; of Ethernet 6 bytes. */
  readonly mac: string
  readonly serverName: string
  readonly bootFile: string
  readonly options: Options
}

/** The DHCP message types (RFC 2132 §9.6) by their numbers. */
export const MESSAGE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const

/** No address. */
export const NOWHERE = '0.0.0.0'

const COOKIE = [99, 130, 83, 99] as const
/** Where the options begin: behind the header and the cookie. */
export const OPTIONS_AT = 240
const SERVER_NAME = { at: 44, bytes: 64 } as const
const BOOT_FILE = { at: 108, bytes: 128 } as const
const BROADCAST_FLAG = 0x80

// Some relays and boot ROMs drop a reply shorter than BOOTP's 300 bytes (opnsense/core#7744).
const SHORTEST_REPLY = 300

/** Bytes that are not a DHCP packet. */
export class MalformedPacket extends Error {
  readonly code = 'MALFORMED_PACKET'
  constructor(what: string) {
    super(`Not a DHCP packet: ${what}.`)
  }
}

/**
 * Reads a packet of any length, padded or not. The fields `file` and `sname` are read as options where option 52
 * says so (RFC 2132 §9.3), and are empty then. Option values are views of `bytes`.
 *
 * @throws {MalformedPacket} when the header is cut short, the cookie missing or the hardware address impossible
 * @throws {MalformedOption} when an option runs past the end of its field
 */
export function decodePacket(bytes: Uint8Array): Packet {
  if (bytes.length < OPTIONS_AT) throw new MalformedPacket(`${bytes.length} bytes, its header alone has 240`)
  const op = bytes[0]
  if (op !== 1 && op !== 2) throw new MalformedPacket(`its first byte is ${op}, neither request nor reply`)
  if (COOKIE.some((byte, index) => bytes[236 + index] !== byte)) {
    throw new MalformedPacket('bytes 236 to 239 are not the magic cookie, so this is plain BOOTP')
  }
  const macBytes = bytes[2]!
  if (macBytes > 16) throw new MalformedPacket(`a hardware address of ${macBytes} bytes, 16 are possible`)

  const options = decodeOptions(bytes.subarray(OPTIONS_AT))
  const overload = numberIn(options, OPTION.overload) ?? 0
  const bootFile = fieldOf(bytes, BOOT_FILE)
  const serverName = fieldOf(bytes, SERVER_NAME)
  if (overload & 1) decodeOptions(bootFile, options)
  if (overload & 2) decodeOptions(serverName, options)

  const view = new DataView(bytes.buffer, bytes.byteOffset, OPTIONS_AT)
  return {
    op: op === 1 ? 'request' : 'reply',
    hardwareType: bytes[1]!, // the header is complete
    hops: bytes[3]!,
    transaction: view.getUint32(4),
    seconds: view.getUint16(8),
    broadcast: (bytes[10]! & BROADCAST_FLAG) !== 0,
    clientAddress: addressAt(bytes, 12),
    yourAddress: addressAt(bytes, 16),
    nextServer: addressAt(bytes, 20),
    relayAddress: addressAt(bytes, 24),
    mac: macAt(bytes, 28, macBytes),
    serverName: overload & 2 ? '' : untilNul(serverName),
    bootFile: overload & 1 ? '' : untilNul(bootFile),
    options,
  }
}

/**
 * Writes a packet: the options in the order of the map, END, then zeros up to 300 bytes (some firmware wants END
 * before the padding). Text longer than its field is cut: `offer.ts` sends long names as options only.
 */
export function encodePacket(packet: Packet): Uint8Array {
  const bytes = new Uint8Array(Math.max(SHORTEST_REPLY, OPTIONS_AT + optionsLength(packet.options)))
  const view = new DataView(bytes.buffer)
  const mac = packet.mac === '' ? [] : packet.mac.split(':').map(pair => Number.parseInt(pair, 16))
  bytes[0] = packet.op === 'request' ? 1 : 2
  bytes[1] = packet.hardwareType
  bytes[2] = mac.length
  bytes[3] = packet.hops
  view.setUint32(4, packet.transaction)
  view.setUint16(8, packet.seconds)
  bytes[10] = packet.broadcast ? BROADCAST_FLAG : 0
  writeAddress(packet.clientAddress, bytes, 12)
  writeAddress(packet.yourAddress, bytes, 16)
  writeAddress(packet.nextServer, bytes, 20)
  writeAddress(packet.relayAddress, bytes, 24)
  bytes.set(mac, 28)
  writeText(packet.serverName, bytes, SERVER_NAME)
  writeText(packet.bootFile, bytes, BOOT_FILE)
  bytes.set(COOKIE, 236)
  encodeOptions(packet.options, bytes, OPTIONS_AT)
  return bytes
}

/** The DHCP message type of `packet` (a value of `MESSAGE`), undefined for plain BOOTP. */
export function messageTypeOf(packet: Packet): number | undefined {
  return numberIn(packet.options, OPTION.messageType)
}

/** The address that the client wants: option 50, else the one it has. */
export function wantedAddressOf(packet: Packet): string {
  return addressIn(packet.options, OPTION.requestedAddress) ?? packet.clientAddress
}

type Field = { readonly at: number; readonly bytes: number }

function fieldOf(bytes: Uint8Array, field: Field): Uint8Array {
  return bytes.subarray(field.at, field.at + field.bytes)
}

function untilNul(field: Uint8Array): string {
  const end = field.indexOf(0)
  return latin1(end < 0 ? field : field.subarray(0, end))
}

function writeText(words: string, bytes: Uint8Array, field: Field): void {
  const length = Math.min(words.length, field.bytes)
  for (let index = 0; index < length; index += 1) bytes[field.at + index] = words.charCodeAt(index)
}

function addressAt(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

function writeAddress(dotted: string, bytes: Uint8Array, at: number): void {
  if (dotted === NOWHERE) return
  bytes.set(ipv4Bytes(dotted), at)
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function macAt(bytes: Uint8Array, at: number, length: number): string {
  let words = ''
  for (let index = 0; index < length; index += 1) words += (index === 0 ? '' : ':') + HEX[bytes[at + index]!]
  return words
}
