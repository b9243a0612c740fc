// The network-boot client's half of TFTP (RFC 1350, 2347 to 2349): one read, as a pure state machine.

import { LabError } from '../errors.ts'

/** One read in progress. */
export type TftpRead = {
  readonly file: string
  /** Agreed with the server: 512 unless it granted more. */
  readonly blockBytes: number
  /** How much the server says is coming, if it says. */
  readonly totalBytes?: number
  /** The last block received in order; 0 before the first. */
  readonly block: number
  readonly done: boolean
}

/** What a packet of the server leads to: the read after it, the answer to send, the bytes it brought. */
export type TftpStep = { readonly read: TftpRead; readonly answer?: Uint8Array; readonly data?: Uint8Array }

const [RRQ, DATA, ACK, ERROR, OACK] = [1, 3, 4, 5, 6] as const
const DEFAULT_BLOCK_BYTES = 512
/** What a PXE ROM asks for: a block that fits one Ethernet frame. */
const WANTED_BLOCK_BYTES = 1456

/** A read about to begin. */
export function startRead(file: string): TftpRead {
  return { file, blockBytes: DEFAULT_BLOCK_BYTES, block: 0, done: false }
}

/** The read request, with the options of a PXE ROM: size of the file (`tsize`) and of a block. */
export function encodeReadRequest(file: string): Uint8Array {
  const words = [file, 'octet', 'tsize', '0', 'blksize', String(WANTED_BLOCK_BYTES)]
  return Uint8Array.of(0, RRQ, ...new TextEncoder().encode(words.map(word => `${word}\0`).join('')))
}

/**
 * Takes one packet of the server. A repeated block is answered again and brings no bytes.
 *
 * @throws {LabError} NO_BOOT when the server refuses, MALFORMED_PACKET when it is not a TFTP packet
 */
export function takePacket(read: TftpRead, packet: Uint8Array): TftpStep {
  const operation = ((packet[0] ?? 0) << 8) | (packet[1] ?? 0)
  const number = ((packet[2] ?? 0) << 8) | (packet[3] ?? 0)
  if (operation === ERROR) {
    const said = new TextDecoder().decode(packet.subarray(4)).replaceAll('\0', '')
    throw new LabError('NO_BOOT', `TFTP server refuses ${read.file}: error ${number}, ${said || 'no words'}.`)
  }
  if (operation === OACK && read.block === 0) return { read: takeOptions(read, packet), answer: ack(0) }
  if (operation !== DATA || packet.length < 4)
    throw new LabError('MALFORMED_PACKET', `TFTP packet ${operation} of ${packet.length} bytes, no data.`)
  if (number !== ((read.block + 1) & 0xffff)) return { read, answer: ack(read.block) }
  const data = packet.subarray(4)
  const done = data.length < read.blockBytes
  return { read: { ...read, block: read.block + 1, done }, answer: ack(number), data }
}

function takeOptions(read: TftpRead, packet: Uint8Array): TftpRead {
  const words = new TextDecoder().decode(packet.subarray(2)).split('\0')
  const granted = new Map<string, number>()
  for (let at = 0; at + 1 < words.length; at += 2)
    granted.set(words[at]!.toLowerCase(), Number(words[at + 1]))
  const totalBytes = granted.get('tsize')
  return {
    ...read,
    blockBytes: granted.get('blksize') ?? DEFAULT_BLOCK_BYTES,
    ...(totalBytes !== undefined && { totalBytes }),
  }
}

function ack(block: number): Uint8Array {
  return Uint8Array.of(0, ACK, (block >> 8) & 0xff, block & 0xff)
}
