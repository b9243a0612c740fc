// The audit log over HTTP: every write of a client leaves an entry before it is answered, and administrators read them.

import type { FastifyInstance, FastifyPluginCallback, FastifyRequest, FastifySchema } from 'fastify'
import { auditSchema, type AuditEntry } from '#model/audit.ts'
import { shown, shownSchema } from '#model/time.ts'
import { auditEntry } from '../../../store/audit-entry.ts'
import { auditing } from '../../../access/audit.ts'
import { BadRequest } from '../../../errors.ts'
import { causesOf, type Log } from '../../../log.ts'
import type { Auditing, AuditStore } from '../../../store/audit.ts'
import { pretty } from '../wire/replies.ts'
import { limitOf, linkNext, onlyKnownKeys, type PageQuery } from './paging.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Of every route that writes: what its entries in the audit log call it, `KIND.VERB`, for example `token.create`. */
    audit?: string
  }
  interface FastifyRequest {
    /** What the entry of the request says beside its route; `none` when it changed nothing, or has its entry already. */
    changed?: Change | 'none'
  }
}

/** What a request changed: the name of the entity where the path does not have it, and a summary where there is more to say. */
type Change = { readonly name?: string; readonly summary?: string }

/** What these routes need of the service. */
export type AuditNeeds = {
  readonly audit: AuditStore
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: Log
}

/** The start of an entry for the write that commits it; undefined for a client without a role, whom the route refuses. */
export function auditingOf({ identity, ip, routeOptions }: FastifyRequest): Auditing | undefined {
  return auditing(identity, ip, routeOptions.config.audit ?? '')
}

/** Says what a request changed. */
export function noteChange(request: FastifyRequest, change: Change): void {
  request.changed = change
}

/** Says that a request needs no entry: it changed nothing, or its entry was committed with the change. */
export function noteAudited(request: FastifyRequest): void {
  request.changed = 'none'
}

/**
 * Has the routes of `app` that are registered after it leave an entry for each write, on disk before the answer. An entry that
 * the disk does not take goes to the log: what it is about is done, or was refused.
 *
 * @throws {Error} at the start, for a route that writes and does not say what it is called
 */
export function auditWrites(app: FastifyInstance, { audit, now, log }: AuditNeeds): void {
  app.addHook('onRoute', ({ method, url, config }) => {
    const writes = [method].flat().some(one => one !== 'GET' && one !== 'HEAD')
    if (writes && !/^[a-z]+\.[a-z]+$/.test(config?.audit ?? '')) {
      throw new Error(`${String(method)} ${url} writes: its config.audit says what the audit log calls it`)
    }
  })
  app.addHook('onSend', (request, { statusCode }, payload, next) => {
    const start = request.routeOptions.config.audit === undefined ? undefined : auditingOf(request)
    // 401: the client showed no role. 507: nothing was done, and the disk does not take the entry either.
    const isNone = request.changed === 'none' && statusCode < 400
    if (start === undefined || isNone || statusCode === 401 || statusCode === 507) return next(null, payload)
    const [kind = ''] = start.action.split('.')
    const { name = nameIn(request), summary } = request.changed === 'none' ? {} : (request.changed ?? {})
    const outcome = statusCode < 400 ? 'done' : statusCode < 500 ? 'refused' : 'failed'
    const code = request.refusedAs
    const entity = `${kind}:${name}`
    const audited = {
      entity,
      outcome,
      ...(summary && { summary }),
      ...(code !== undefined && { code }),
    } as const
    const entry = auditEntry(start, audited, now())
    audit
      .add(entry)
      .catch((error: unknown) =>
        log('error', `An audit entry was not kept: ${causesOf(error)}`, { ...entry }),
      )
      .finally(() => next(null, payload))
  })
}

/** The name in the path of a request: the last part of it that a client chooses. */
function nameIn({ params }: FastifyRequest): string {
  return Object.values((params ?? {}) as Record<string, string>).at(-1) ?? '' // texts, as the router has them
}

/** `GET /v1/audit`. */
export const auditRoutes: FastifyPluginCallback<AuditNeeds> = (app, { audit }, done) => {
  app.get<{ Querystring: AuditPageQuery }>(
    '/v1/audit',
    { config: { access: 'admin' }, preValidation: onlyKnownKeys, schema: listSchema },
    async ({ query }, reply) => {
      const { who, entity, since, until, after } = query
      const limit = limitOf(query)
      const found = await audit.list({
        ...(who !== undefined && { who }),
        ...(entity !== undefined && { entity }),
        ...(since !== undefined && { since: timeIn('since', since) }),
        ...(until !== undefined && { until: timeIn('until', until) }),
        ...(after !== undefined && { after: idIn(after) }),
        limit: limit + 1,
      })
      const items = found.slice(0, limit)
      const next = found.length > limit ? String(items.at(-1)?.id) : undefined
      linkNext(reply, '/v1/audit', query, next, keptOf(query))
      return pretty(reply, {
        items: items.map(entry => shown(auditSchema, entry)),
        ...(next !== undefined && { next }),
      })
    },
  )
  done()
}

type AuditPageQuery = PageQuery & Partial<Record<'who' | 'entity' | 'since' | 'until', string>>

const text = { type: 'string' } as const

const listSchema: FastifySchema & { tags: string[]; summary: string } = {
  tags: ['audit'],
  summary: 'Who changed what, the newest first',
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: {
      who: text,
      entity: { ...text, description: 'With its kind, for example `group:spare`' },
      since: { ...text, description: 'ISO 8601: entries of that time and later' },
      until: { ...text, description: 'ISO 8601: entries before that time' },
      limit: { ...text, description: 'A page has 1,000 at most' },
      after: { ...text, description: 'The last id of the page before' },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: { items: { type: 'array', items: shownSchema(auditSchema) }, next: text },
    },
  },
}

function timeIn(name: string, given: string): number {
  const at = Date.parse(given)
  if (Number.isNaN(at)) {
    throw new BadRequest(`${name} is ${JSON.stringify(given)}; write a time as 2026-11-30T01:23:00Z.`)
  }
  return at
}

function idIn(given: string): AuditEntry['id'] {
  if (/^\d{1,15}$/.test(given)) return Number(given)
  throw new BadRequest(`after is ${JSON.stringify(given)}; it takes the id of an entry.`)
}

/** The parts of a query that choose what is listed. */
export function keptOf({ limit: _limit, after: _after, ...kept }: PageQuery): Record<string, string> {
  return kept
}
