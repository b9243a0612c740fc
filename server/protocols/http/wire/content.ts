// How a text made for one request is sent: with its length and a content type found from its bytes, whole or in parts.

import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { bytesOf } from '#model/text.ts'
import { planOf, type ConditionalHeaders, type Range } from '../../../assets/range.ts'
import { contentTypeOf } from '../../../assets/sniff.ts'
import { plain, sendText } from './replies.ts'

/** Sends the bytes of a text (`bytesOf`) that no other request gets: they have no date and no tag. */
export function sendContent(request: FastifyRequest, reply: FastifyReply, text: string): FastifyReply {
  const bytes = bytesOf(text)
  const type = contentTypeOf(bytes)
  const plan = planOf(request.method, conditionsOf(request), { size: bytes.length })
  if (plan.status === 416) return refuseRange(reply, plan.reason, bytes.length)
  void reply.code(plan.status).headers(apartFromPage(type))
  if (plan.status === 304 || plan.status === 412) return reply.send()
  void reply.header('accept-ranges', 'bytes')
  if (plan.status === 200) return sendText(reply, type, text)
  const [first, ...others] = plan.parts
  const cut = ({ start, length }: Range) => bytes.subarray(start, start + length)
  if (others.length === 0) {
    return reply.type(type).header('content-range', contentRange(first, bytes.length)).send(cut(first))
  }
  const { boundary, frames, end } = multipart(plan.parts, type, bytes.length)
  const body = plan.parts.flatMap((part, turn) => [Buffer.from(frames[turn] ?? ''), cut(part)])
  return reply
    .type(`multipart/byteranges; boundary=${boundary}`)
    .send(Buffer.concat([...body, Buffer.from(end)]))
}

/** The headers of a conditional or partial request. Of one that was sent several times the first counts, as in Go. */
export function conditionsOf({ headers, raw }: FastifyRequest): ConditionalHeaders {
  const sent = CONDITIONS.filter(name => headers[name] !== undefined)
  if (sent.length === 0) return NO_CONDITIONS
  return Object.fromEntries(
    sent.map(name => [
      name,
      raw.rawHeaders[raw.rawHeaders.findIndex((it, at) => at % 2 === 0 && it.toLowerCase() === name) + 1],
    ]),
  )
}

const NO_CONDITIONS: ConditionalHeaders = {}

const CONDITIONS = [
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
] as const

/**
 * Headers that keep what may hold scripts apart from the operator's page, which has the same origin: a browser gives such a
 * document its own origin, so it reads neither the page nor what the page may. Other clients ignore them.
 */
export function apartFromPage(type: string): Readonly<Record<string, string>> {
  return /html|xml/.test(type) ? { 'content-security-policy': 'sandbox allow-downloads' } : {} // SVG is svg+xml
}

/** Answers 416 in the words of Go's file server. */
export function refuseRange(reply: FastifyReply, reason: string, size: number): FastifyReply {
  if (reason !== 'invalid range') void reply.header('content-range', `bytes */${size}`)
  void reply.header('x-content-type-options', 'nosniff').removeHeader('etag').removeHeader('last-modified')
  return plain(reply.code(416), `${reason}\n`)
}

/** The Content-Range of a part. */
export function contentRange({ start, length }: Range, size: number): string {
  return `bytes ${start}-${start + length - 1}/${size}`
}

/** The texts before each part of a `multipart/byteranges` answer, and after the last (RFC 9110 §14.6). */
export function multipart(
  parts: readonly Range[],
  type: string,
  size: number,
): { readonly boundary: string; readonly frames: readonly string[]; readonly end: string } {
  const boundary = randomBytes(30).toString('hex')
  const frames = parts.map(
    (part, turn) =>
      `${turn === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Range: ${contentRange(part, size)}\r\nContent-Type: ${type}\r\n\r\n`,
  )
  return { boundary, frames, end: `\r\n--${boundary}--\r\n` }
}
