// The options of a DHCP packet: the field after the magic cookie, as a map from code to bytes, and the few
// value shapes that Pilotlight reads and writes.

import { ipv4Bytes } from '#model/ipv4.ts'

/** Option code to value, in the order in which they are written. */
export type Options = Map<number, Uint8Array>

/** The codes that Pilotlight speaks (RFC 2132; 77 RFC 3004, 82 RFC 3046, 93/94/97 RFC 4578, 175 iPXE). */
export const OPTION = {
  subnetMask: 1,
  router: 3,
  dns: 6,
  hostname: 12,
  broadcastAddress: 28,
  ntp: 42,
  vendorSpecific: 43,
  requestedAddress: 50,
  leaseSeconds: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  parameterList: 55,
  message: 56,
  maximumSize: 57,
  renewalSeconds: 58,
  rebindingSeconds: 59,
  vendorClass: 60,
  clientIdentifier: 61,
  tftpServerName: 66,
  bootFile: 67,
  userClass: 77,
  relayAgent: 82,
  clientArchitecture: 93,
  clientInterface: 94,
  clientUuid: 97,
  ipxe: 175,
} as const

/** The two codes that stand alone, without a length. */
export const PAD = 0
export const END = 255
const LONGEST = 255

/** An option that runs past the end of its field. */
export class MalformedOption extends Error {
  readonly code = 'MALFORMED_OPTION'
  /** Where the option begins in its field. */
  readonly offset: number
  constructor(option: number, offset: number, length: number | undefined, left: number) {
    const wanted =
      length === undefined ? 'has no length byte' : `wants ${length} bytes where ${left} are left`
    super(`DHCP option ${option} at byte ${offset} of the options ${wanted}: the packet was cut short.`)
    this.offset = offset
  }
}

/**
 * Adds the options in `field` to `options` (RFC 2132 §2). An option sent in parts is joined in the order sent
 * (RFC 3396 §7), once, however many parts there are; what follows END is ignored, and a missing END is forgiven.
 * Values that were sent whole are views of `field`.
 *
 * @throws {MalformedOption} when an option runs past the end of `field`
 */
export function decodeOptions(field: Uint8Array, options: Options = new Map()): Options {
  let inParts: Map<number, Uint8Array[]> | undefined // few packets have one
  for (let at = 0; at < field.length;) {
    const option = field[at]! // at < field.length
    if (option === END) break
    if (option === PAD) {
      at += 1
      continue
    }
    const length = field[at + 1]
    const left = field.length - at - 2
    if (length === undefined || left < length) throw new MalformedOption(option, at, length, left)
    const part = field.subarray(at + 2, at + 2 + length)
    const before = options.get(option)
    if (before === undefined) options.set(option, part)
    else {
      inParts ??= new Map()
      const parts = inParts.get(option)
      if (parts === undefined) inParts.set(option, [before, part])
      else parts.push(part)
    }
    at += 2 + length
  }
  if (inParts !== undefined) for (const [option, parts] of inParts) options.set(option, joined(parts))
  return options
}

/** Gives how many bytes `encodeOptions` writes, END included. */
export function optionsLength(options: Options): number {
  let bytes = 1
  for (const value of options.values()) bytes += value.length + 2 * partsOf(value)
  return bytes
}

/**
 * Writes `options` and END into `target` from byte `at` on, and gives the place after END. A value of more than
 * 255 bytes is written in parts (RFC 3396 §5).
 */
export function encodeOptions(options: Options, target: Uint8Array, at: number): number {
  let place = at
  for (const [option, value] of options) {
    if (value.length <= LONGEST) {
      place = writePart(option, value, target, place)
      continue
    }
    for (let part = 0; part < partsOf(value); part += 1) {
      place = writePart(option, value.subarray(part * LONGEST, (part + 1) * LONGEST), target, place)
    }
  }
  target[place] = END
  return place + 1
}

// Most values have a few bytes: a loop is faster than a view of them.
function writePart(option: number, piece: Uint8Array, target: Uint8Array, at: number): number {
  target[at] = option
  target[at + 1] = piece.length
  for (let index = 0; index < piece.length; index += 1) target[at + 2 + index] = piece[index]! // index < piece.length
  return at + 2 + piece.length
}

/** Reads a number of 1, 2 or 4 bytes; undefined when the option is absent or of another size. */
export function numberIn(options: Options, option: number): number | undefined {
  const value = options.get(option)
  if (value === undefined || ![1, 2, 4].includes(value.length)) return undefined
  return value.reduce((sum, byte) => sum * 256 + byte, 0)
}

/** Reads one IPv4 address, dotted; undefined when the option is absent or of another size. */
export function addressIn(options: Options, option: number): string | undefined {
  const value = options.get(option)
  return value?.length === 4 ? value.join('.') : undefined
}

/** Reads text, without the NUL (and 0xFF) bytes that some firmware appends; undefined when absent. */
export function textIn(options: Options, option: number): string | undefined {
  const value = options.get(option)
  if (value === undefined) return undefined
  let end = value.length
  while (end > 0 && (value[end - 1] === 0 || value[end - 1] === 255)) end -= 1
  return latin1(value.subarray(0, end))
}

/** Writes `number` as 4 bytes. */
export function uint32(number: number): Uint8Array {
  return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number)
}

/** Writes dotted IPv4 addresses one after the other. */
export function addresses(...dotted: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(4 * dotted.length)
  for (const [index, address] of dotted.entries()) bytes.set(ipv4Bytes(address), 4 * index)
  return bytes
}

/** Writes text, a byte a character. */
export function text(words: string): Uint8Array {
  const bytes = new Uint8Array(words.length)
  for (let index = 0; index < words.length; index += 1) bytes[index] = words.charCodeAt(index)
  return bytes
}

/** Reads bytes as text, a character a byte, so that whatever firmware sends can be shown and written again. */
export function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}

function partsOf(value: Uint8Array): number {
  return Math.max(1, Math.ceil(value.length / LONGEST)) // an empty value is still written once
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
