// Each request, once its connection is done with it, is a line in the log and counted in the metrics.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { cleanText, LIMITS } from '#model/clean.ts'
import { isLoopback } from '#model/address.ts'
import { Bucket, Buckets } from '../../../limits/bucket.ts'
import type { LogLimits } from '../../../limits/http.ts'
import type { Refuse } from '../../../limits/refusals.ts'
import type { Log } from '../../../log.ts'

/** One request that was answered, or broken off. */
export type AnsweredRequest = {
  /** The route's pattern, for example `/assets/*`; `none` where nothing is. */
  readonly route: string
  readonly method: string
  readonly status: number
  readonly seconds: number
}

/** Where requests are logged and counted. */
export type RequestLog = {
  readonly log: Log
  readonly metrics: { request(answered: AnsweredRequest): void }
  /** The name of the machine behind a request, as far as its address or its labels show. */
  readonly machineOf: (address: string, query: string) => string | undefined
  /** Says whether a request from an address gets its own line in the log; it counts those that do not. */
  readonly mayLog: (address: string) => boolean
}

/** Routes that monitoring asks again and again; they are logged at level debug. */
const WATCHED: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics', '/v1/events'])

/** Logs and counts all requests of `app`. */
export function logRequests(app: FastifyInstance, { log, metrics, machineOf, mayLog }: RequestLog): void {
  app.addHook('onRequest', (request, reply, next) => {
    const began = performance.now()
    // `close` comes once, after the last byte or when the client is gone; also where a route writes for itself.
    reply.raw.on('close', () => {
      const seconds = (performance.now() - began) / 1000
      const { method, ip } = request
      const status = reply.raw.statusCode
      const route = request.routeOptions.url ?? 'none'
      metrics.request({ route, method, status, seconds })
      const [path = '', query = ''] = splitTarget(request)
      const machine = machineOf(ip, query)
      const isKnown = request.identity.by === 'token' || request.identity.by === 'certificate'
      const level = WATCHED.has(route) ? 'debug' : 'info'
      if (level === 'info' && !isKnown && !mayLog(ip)) return
      log(level, `${method} ${shown(path)}`, {
        client: ip,
        machine,
        status,
        ms: Math.round(seconds * 1e5) / 100,
        query: query === '' ? undefined : shown(query),
        who: request.identity.by === 'nobody' ? undefined : request.identity.name,
        brokenOff: reply.raw.writableFinished ? undefined : true,
      })
    })
    next()
  })
}

/**
 * Lets strangers have so many lines of the log, each address and all together, and declared machines all of their lines.
 *
 * @param refuse counts the others, and says so in one line
 */
export function logLines(
  refuse: Refuse,
  isDeclared: (address: string) => boolean,
  { perAddress, inAll }: LogLimits,
): RequestLog['mayLog'] {
  const own = new Buckets(perAddress)
  const all = new Bucket(inAll, performance.now())
  return address => {
    if (isDeclared(address)) return true
    const now = performance.now()
    if ((isLoopback(address) || own.of(address, now).take(now)) && all.take(now)) return true
    refuse('log_lines', address)
    return false
  }
}

function shown(part: string): string {
  return cleanText(part, LIMITS.requestTarget)
}

function splitTarget(request: FastifyRequest): string[] {
  const target = request.raw.url ?? '/'
  const at = target.indexOf('?')
  return at < 0 ? [target] : [target.slice(0, at), target.slice(at + 1)]
}
