// Alarms over the API: listed, acknowledged and cleared.

import type { FastifyPluginCallback } from 'fastify'
import { ALARM_CODES, ALARMS, alarmSchema, SEVERITIES, type Alarm } from '#model/alarm.ts'
import { shown, shownSchema } from '#model/time.ts'
import type { AlarmList } from '../../../alarms/alarm-list.ts'
import { BadRequest } from '../../../errors.ts'
import type { Log } from '../../../log.ts'
import { pretty } from '../wire/replies.ts'
import { keptOf, noteAudited } from './audit.ts'
import { problem } from './openapi.ts'
import { limitOf, linkNext, onlyKnownKeys, type PageQuery } from './paging.ts'

/** What these routes need of the service. */
export type AlarmNeeds = {
  readonly alarmList: Pick<AlarmList, 'all' | 'get' | 'acknowledge' | 'clear'>
  readonly log: Log
}

const STATES = ['open', 'active', 'acknowledged', 'cleared', 'all'] as const
type AlarmQuery = PageQuery &
  Partial<Record<'severity' | 'code' | 'entity', string>> & { readonly state?: (typeof STATES)[number] }
type ById = { Params: { id: string } }

const text = { type: 'string' } as const
const one = shownSchema(alarmSchema)

/** `GET /v1/alarms`, `GET /v1/alarms/{id}`, and `POST /v1/alarms/{id}/acknowledge` and `/clear`. */
export const alarmRoutes: FastifyPluginCallback<AlarmNeeds> = (app, { alarmList, log }, done) => {
  app.get<{ Querystring: AlarmQuery }>(
    '/v1/alarms',
    {
      preValidation: onlyKnownKeys,
      schema: {
        ...about('What an operator should look at, the most urgent first'),
        querystring: {
          type: 'object',
          additionalProperties: false,
          properties: {
            severity: { enum: SEVERITIES },
            code: { enum: ALARM_CODES },
            entity: { ...text, description: 'With its kind, for example `machine:ctl-1`' },
            state: {
              enum: STATES,
              description: 'open (where it is not given): active or acknowledged',
            },
            limit: { ...text, description: 'A page has 1,000 at most' },
            after: { ...text, description: 'The last id of the page before' },
          },
        },
        response: {
          200: { type: 'object', properties: { items: { type: 'array', items: one }, next: text } },
        },
      },
    },
    ({ query }, reply) => {
      const { items, next } = alarmPage(alarmList.all(), query)
      linkNext(reply, '/v1/alarms', query, next, keptOf(query))
      return pretty(reply, { items: items.map(viewOf), ...(next !== undefined && { next }) })
    },
  )

  app.get<ById>(
    '/v1/alarms/:id',
    { schema: { ...about('One alarm'), response: { 200: one, '4xx': problem } } },
    ({ params: { id } }, reply) => pretty(reply, viewOf(alarmList.get(id))),
  )

  for (const verb of ['acknowledge', 'clear'] as const) {
    const summary = {
      acknowledge: 'An operator knows of an alarm: it stays in the list until it is over',
      clear: 'An operator says that an alarm is over; it begins again when it is raised again',
    }[verb]
    app.post<ById>(
      `/v1/alarms/:id/${verb}`,
      {
        config: { audit: `alarm.${verb}` },
        schema: { ...about(summary), response: { 200: one, '4xx': problem } },
      },
      async (request, reply) => {
        const { params, identity } = request
        const { alarm, isChanged } = await alarmList[verb](params.id, identity.name)
        if (isChanged) log('info', `alarm ${alarm.state}`, { alarm: alarm.id, who: identity.name })
        else noteAudited(request)
        return pretty(reply, viewOf(alarm))
      },
    )
  }
  done()
}

/** An alarm as the API shows it. */
function viewOf(alarm: Alarm): Record<string, unknown> {
  return shown(alarmSchema, alarm)
}

/**
 * Those that a query asks for behind its `after`, by severity and then by id. The place of an id follows from its code, so a
 * list goes on also behind an alarm that is gone.
 *
 * @throws {BadRequest} when `limit` is not a number above 0, or `after` is not the id of an alarm
 */
function alarmPage(
  alarms: Iterable<Alarm>,
  query: AlarmQuery,
): { readonly items: readonly Alarm[]; readonly next?: string } {
  const { severity, code, entity, state = 'open', after } = query
  const limit = limitOf(query)
  const behind = after === undefined ? '' : placeOf(after)
  const found: { readonly place: string; readonly alarm: Alarm }[] = []
  for (const alarm of alarms) {
    if (state === 'open' ? alarm.state === 'cleared' : state !== 'all' && alarm.state !== state) continue
    if (severity !== undefined && alarm.severity !== severity) continue
    if (code !== undefined && alarm.code !== code) continue
    if (entity !== undefined && alarm.entity !== entity) continue
    const place = placeOf(alarm.id)
    if (place > behind) found.push({ place, alarm })
  }
  found.sort((a, b) => (a.place < b.place ? -1 : 1))
  const items = found.slice(0, limit).map(({ alarm }) => alarm)
  const last = items.at(-1)
  return found.length > limit && last !== undefined ? { items, next: last.id } : { items }
}

/** A text by which ids sort: severity, then id. */
function placeOf(id: string): string {
  const code = ALARM_CODES.find(one => id.startsWith(`${one}:`))
  if (code === undefined) throw new BadRequest(`after is ${JSON.stringify(id)}; it takes the id of an alarm.`)
  return `${SEVERITIES.indexOf(ALARMS[code].severity)} ${id}`
}

/** What the description of the API says of a route. */
function about(summary: string) {
  return { tags: ['alarms'], summary }
}
