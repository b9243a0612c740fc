// The two forms of an answer: text for firmware, JSON for people and programs.

import type { FastifyReply } from 'fastify'

/** Sends a text as firmware wants it: with its length, never in chunks. */
export function plain(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('text/plain; charset=utf-8').send(text)
}

/** JSON for people: indented, with a line end. */
export function pretty(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type('application/json').send(`${JSON.stringify(value, null, 2)}\n`)
}
