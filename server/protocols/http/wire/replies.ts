// The two forms of an answer: text for firmware, JSON for people and programs.

import type { FastifyReply } from 'fastify'
import { bytesOf } from '#model/text.ts'

/** The content type of texts. */
export const PLAIN = 'text/plain; charset=utf-8'

/** Of a route whose answer is written as it is: its schema only describes it. */
export const sentAsItIs = { serializerCompiler: () => (value: unknown) => JSON.stringify(value) }

/** Sends a text as firmware wants it: with its length, never in chunks. */
export function plain(reply: FastifyReply, text: string): FastifyReply {
  return reply.type(PLAIN).send(text)
}

/** Sends the bytes of a text (`bytesOf`) with exactly this content type. */
export function sendText(reply: FastifyReply, type: string, text: string): FastifyReply {
  return reply.send(payloadOf(reply, type, text))
}

/**
 * The bytes of a text, for Fastify to send with exactly this content type. They stay a text where that gives the same bytes,
 * since Node then writes head and body at once.
 */
export function payloadOf(reply: FastifyReply, type: string, text: string): string | Buffer {
  void reply.type(type).serializer(asItIs) // with one Fastify adds no character set to JSON
  return text.isWellFormed() ? text : bytesOf(text)
}

function asItIs(payload: unknown): string {
  return payload as string // Fastify gives it no other: bytes are sent without it
}

/** JSON for people: indented, with a line end. */
export function pretty(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type('application/json').send(`${JSON.stringify(value, null, 2)}\n`)
}
