// TFTP packets (RFC 1350, options RFC 2347) as plain data, and their bytes.

/** The opcodes of RFC 1350 §5 and RFC 2347. */
export const OPCODE = { read: 1, write: 2, data: 3, ack: 4, error: 5, optionAck: 6 } as const

/** The error codes of RFC 1350 §5 and RFC 2347 that Pilotlight sends or knows. */
export const ERROR = {
  undefined: 0,
  notFound: 1,
  accessViolation: 2,
  illegalOperation: 4,
  unknownTransfer: 5,
  optionRefused: 8,
} as const

/** Options as sent, name to value: names keep their case and order, since the answer repeats them. */
export type RequestOptions = ReadonlyMap<string, string>

/** A request to read or write a file. */
export type TftpRequest = {
  readonly kind: 'read' | 'write'
  readonly file: string
  /** Lower case: `octet`, `netascii` or `mail`. */
  readonly mode: string
  readonly options: RequestOptions
}

/** Any packet. Block numbers are those on the wire, 0 to 65535. */
export type TftpPacket =
  | TftpRequest
  | { readonly kind: 'data'; readonly block: number; readonly bytes: Uint8Array }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly error: number; readonly text: string }
  | { readonly kind: 'optionAck'; readonly options: RequestOptions }

/** Bytes that are not a TFTP packet. */
export class MalformedTftp extends Error {
  readonly code = 'MALFORMED_TFTP'
  constructor(what: string) {
    super(`Not a TFTP packet: ${what}.`)
  }
}

/**
 * Reads one packet. Bytes behind its end are ignored, since tunnels pad datagrams; the value of a request's last option
 * may lack its NUL, as some firmware sends it.
 *
 * @throws {MalformedTftp} when the bytes are none
 */
export function decodeTftp(bytes: Uint8Array): TftpPacket {
  if (bytes.length < 4) throw new MalformedTftp(`${bytes.length} bytes, the shortest has 4`)
  const opcode = bytes[0]! * 256 + bytes[1]!
  const number = bytes[2]! * 256 + bytes[3]!
  if (opcode === OPCODE.ack) return { kind: 'ack', block: number }
  if (opcode === OPCODE.data) return { kind: 'data', block: number, bytes: bytes.subarray(4) }
  if (opcode === OPCODE.error) return { kind: 'error', error: number, text: wordsIn(bytes, 4)[0] ?? '' }
  if (opcode === OPCODE.optionAck) return { kind: 'optionAck', options: optionsIn(wordsIn(bytes, 2)) }
  if (opcode !== OPCODE.read && opcode !== OPCODE.write) throw new MalformedTftp(`opcode ${opcode}`)
  const [file, mode, ...options] = wordsIn(bytes, 2)
  if (file === undefined || mode === undefined) throw new MalformedTftp('a request without file or mode')
  return {
    kind: opcode === OPCODE.read ? 'read' : 'write',
    file,
    mode: mode.toLowerCase(),
    options: optionsIn(options),
  }
}

/** Writes one packet. */
export function encodeTftp(packet: TftpPacket): Uint8Array {
  switch (packet.kind) {
    case 'read':
    case 'write':
      return withWords(OPCODE[packet.kind], [packet.file, packet.mode, ...[...packet.options].flat()])
    case 'optionAck':
      return withWords(OPCODE.optionAck, [...packet.options].flat())
    case 'ack':
      return withNumber(OPCODE.ack, packet.block, [])
    case 'error':
      return withNumber(OPCODE.error, packet.error, [...codesOf(packet.text), 0])
    default:
      return withNumber(OPCODE.data, packet.block, packet.bytes)
  }
}

/** The option called `name` in any case (RFC 2347), with the name as the client wrote it. */
export function optionOf(options: RequestOptions, name: string): [name: string, value: string] | undefined {
  return [...options].find(([written]) => written.toLowerCase() === name)
}

// NUL-ended words, a character a byte; a last one without its NUL counts when it is not empty.
function wordsIn(bytes: Uint8Array, from: number): string[] {
  const words: string[] = []
  for (let at = from; at < bytes.length;) {
    const nul = bytes.indexOf(0, at)
    const end = nul < 0 ? bytes.length : nul
    let word = ''
    for (let index = at; index < end; index += 1) word += String.fromCharCode(bytes[index]!)
    words.push(word)
    at = end + 1
  }
  return words
}

function optionsIn(words: readonly string[]): Map<string, string> {
  const options = new Map<string, string>()
  for (let index = 0; index + 1 < words.length; index += 2) {
    if (words[index] !== '') options.set(words[index]!, words[index + 1]!) // an empty name is padding
  }
  return options
}

function withWords(opcode: number, words: readonly string[]): Uint8Array {
  return Uint8Array.from([0, opcode, ...words.flatMap(word => [...codesOf(word), 0])])
}

function withNumber(opcode: number, number: number, rest: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(4 + rest.length)
  bytes.set([0, opcode, number >> 8, number & 255])
  bytes.set(rest, 4)
  return bytes
}

function codesOf(word: string): number[] {
  return Array.from(word, letter => letter.charCodeAt(0) & 255)
}
