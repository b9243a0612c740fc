// How errors are answered: programs get RFC 9457 problem JSON, firmware plain text.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { cleanText, LIMITS } from '#model/clean.ts'
import { ServerError } from '../../../errors.ts'
import { ServerAddressTaken } from '../../../inventory/errors.ts'
import { InvalidObject } from '../../../store/errors.ts'
import { causesOf, type Log } from '../../../log.ts'
import { plain } from './replies.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The code of the problem that the request is answered with. */
    refusedAs?: string
  }
}

/** What Matchbox answers to everything that is not there; loaders and scripts have learned to expect it. */
const NOT_FOUND_TEXT = '404 page not found\n'

/** Status and code of anything thrown; what we did not throw on purpose is our bug, 500. */
export function statusOf(error: unknown): { status: number; code: string; text: string } {
  if (error instanceof ServerError) {
    return { status: error.statusCode, code: error.code, text: error.message }
  }
  const { statusCode, code = '', message = '' } = error as Refusal
  if (statusCode === undefined || statusCode >= 500) {
    return { status: 500, code: 'INTERNAL', text: 'The server failed. Its log has the reason.' }
  }
  // Of the request: thrown by us without a class, or by Fastify, whose codes and words are for its users.
  const own = code.startsWith('FST_') ? '' : code
  return {
    status: statusCode,
    code: own || (CODES[statusCode] ?? 'BAD_REQUEST'),
    text: faultText(error as Refusal) ?? message,
  }
}

const CODES: Readonly<Record<number, string>> = { 404: 'NOT_FOUND', 413: 'BODY_TOO_LARGE' }

/** What Fastify says against a request. */
type Refusal = {
  readonly statusCode?: number
  readonly code?: string
  readonly message?: string
  /** Against which part of it a schema speaks. */
  readonly validationContext?: string
  readonly validation?: readonly {
    readonly instancePath: string
    readonly message?: string
    readonly params?: { readonly allowedValues?: unknown }
  }[]
}

function faultText({ statusCode, validation, validationContext = 'request' }: Refusal): string | undefined {
  if (statusCode === 413)
    return 'The body is larger than this takes: an object may have 4 MiB, a template or a transaction 64 MiB. Send less at once.'
  const [fault] = validation ?? []
  if (fault === undefined) return undefined
  const where = validationContext === 'querystring' ? 'query' : validationContext
  const place = fault.instancePath.slice(1).replaceAll('/', '.')
  const values = fault.params?.allowedValues
  const allowed = Array.isArray(values) ? `: ${values.join(', ')}` : ''
  const what = `In the ${where}${place === '' ? '' : `, ${place}`} ${fault.message ?? 'is wrong'}${allowed}.`
  return `${what} GET /v1/openapi.json describes what it takes.`
}

/** Answers with `application/problem+json`, and logs what is our bug. */
export function problemAnswer(log: Log) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const { status, code, text } = statusOf(error)
    request.refusedAs = code
    if (status === 500)
      log('error', causesOf(error), { code, url: cleanText(request.url, LIMITS.requestTarget) })
    if (status === 503) void reply.header('retry-after', '1')
    const errors = error instanceof InvalidObject ? { errors: error.faults } : {}
    const avoid = error instanceof ServerAddressTaken && error.avoid.length > 0 ? { avoid: error.avoid } : {}
    const problem = { type: 'about:blank', title: code, status, detail: text, ...errors, ...avoid }
    return reply
      .code(status)
      .type('application/problem+json')
      .send(`${JSON.stringify(problem)}\n`)
  }
}

/** Answers a boot route: Matchbox's text for what is not there, with our reason in a header; else the reason itself. */
export function plainAnswer(log: Log) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const { status, code, text } = statusOf(error)
    if (status >= 500)
      log('error', causesOf(error), { code, url: cleanText(request.url, LIMITS.requestTarget) })
    void reply.header('x-content-type-options', 'nosniff')
    if (text !== '') void reply.header('x-reason', text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 400))
    return plain(reply.code(status), status === 404 ? NOT_FOUND_TEXT : `${text}\n`)
  }
}
