// Request lines with raw bytes above 0x7F, which Node's parser refuses and Matchbox takes: such a request is parsed a second
// time with its target percent-encoded, and the target as it was received is kept.

import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { Server as TlsServer } from 'node:tls'

/** The target of a request as it was received, bytes as Latin-1. */
export function targetOf(request: IncomingMessage): string {
  return replayedTargets.get(request.socket) ?? request.url ?? ''
}

/**
 * Fastify's `clientErrorHandler` for the app of this server: answers what Node's parser refused. A request whose target
 * has raw bytes is parsed again, on the same connection and as its last one; anything else gets a 400 with Matchbox's text.
 */
export function answerRefused(server: () => EventEmitter) {
  return (error: ParserError, socket: Socket): void => {
    if (replayed.has(socket)) return // what comes after such a request is not read
    // Where its head was read, server.ts refuses it.
    if (error.code === 'HPE_INVALID_TRANSFER_ENCODING' && withCoding.has(socket)) return
    const mayBeReplayed = error.code === 'HPE_INVALID_URL' && !withBody.has(socket)
    const again = mayBeReplayed ? encoded(error) : undefined
    if (again === undefined) {
      const isHandshake = /^ERR_(?:TLS|SSL)_/.test(error.code) // the client cannot read yet
      if (socket.writable && !isHandshake) socket.end(refusalOf(error.code))
      else socket.destroy()
      return
    }
    replayed.add(socket)
    const connection = new Replayed(socket, again.packet)
    replayedTargets.set(connection, again.target)
    const to = server()
    to.emit(to instanceof TlsServer ? 'secureConnection' : 'connection', connection)
  }
}

/**
 * Takes note of a request whose body may end within a packet: then what was received last does not begin with the next
 * request, and is not parsed again. To be called with each request of a server, as it is parsed.
 */
export function noteBody({ headers, socket }: IncomingMessage): void {
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined)
    withBody.add(socket)
  if (headers['transfer-encoding'] !== undefined) withCoding.add(socket)
}

/** The error of Node's parser: the bytes that it got last, and how many of them it took. */
type ParserError = { readonly code: string; readonly rawPacket: unknown; readonly bytesParsed?: number }

const withBody = new WeakSet<Duplex>()
const withCoding = new WeakSet<Duplex>()
const replayed = new WeakSet<Socket>()
const replayedTargets = new WeakMap<Duplex, string>()

/** The answer to what cannot be read, with the text of Go's server. */
function refusalOf(code: string): string {
  const [status, text = '400 Bad Request'] = REFUSALS[code] ?? ['400 Bad Request']
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${text}`
}

const REFUSALS: Readonly<Record<string, readonly [status: string, text?: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout'],
}

/** A request without a body that is here from its first byte, its head as a whole, with its target percent-encoded. */
function encoded({
  rawPacket,
  bytesParsed = 0,
}: ParserError): { packet: Buffer; target: string } | undefined {
  const text = Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1') : ''
  const [line, method = '', target = '', version = ''] = REQUEST_LINE.exec(text) ?? []
  if (
    line === undefined ||
    bytesParsed > line.length || // the fault is in a later line: another request, or a header, precedes it
    !text.includes('\r\n\r\n') ||
    /\r\n(?:content-length|transfer-encoding):/i.test(text)
  ) {
    return undefined
  }
  const plain = target.replaceAll(/[\x80-\xff]/g, byte => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
  if (plain === target) return undefined // the line is wrong for another reason
  const head = text.slice(line.length, text.indexOf('\r\n\r\n') + 4)
  return {
    packet: Buffer.from(`${method} ${plain} ${version}\r\nConnection: close\r\n${head}`, 'latin1'),
    target,
  }
}

const REQUEST_LINE = /^([A-Z-]+) ([\x21-\x7e\x80-\xff]+) (HTTP\/1\.[01])\r\n/

/** A connection that brings one request, and answers into the socket where it came from. */
class Replayed extends Duplex {
  readonly #socket: Socket

  constructor(socket: Socket, packet: Buffer) {
    super()
    this.#socket = socket
    this.push(packet)
    socket.once('close', () => this.destroy())
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress
  }

  override _read(): void {
    // All that there is was pushed at the start.
  }

  override _write(chunk: Buffer, _: BufferEncoding, written: (error?: Error | null) => void): void {
    this.#socket.write(chunk, written)
  }

  override _final(ended: () => void): void {
    this.#socket.end(ended)
  }

  override _destroy(error: Error | null, destroyed: (error: Error | null) => void): void {
    this.#socket.destroy()
    destroyed(error)
  }
}
