// Boot events as they come, by long poll, and the journal of one boot.

import type { FastifyPluginCallback } from 'fastify'
import { bootSchema, eventSchema } from '#model/boot.ts'
import { normaliseMac } from '#model/mac.ts'
import { NeverBooted, NotFound, UnknownBoot } from '../../../errors.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import { identifiersIn } from '../../../machines/identity.ts'
import { journalText, type Journal } from '../../../machines/journal.ts'
import type { EventStore } from '../../../store/events.ts'
import type { Log } from '../../../log.ts'
import { problem } from './openapi.ts'
import { plain, pretty, sentAsItIs } from '../wire/replies.ts'
import { problemAnswer } from '../wire/problems.ts'

/** What these routes need of the service. */
export type EventNeeds = {
  readonly catalog: () => Catalog
  readonly journal: Pick<Journal, 'after' | 'currentOf'>
  readonly store: Pick<EventStore, 'eventsOf' | 'bootsOf'>
  /** Aborted when the server closes: those who wait get an empty answer. */
  readonly signal: AbortSignal
  readonly log: Log
}

/** The query of the event stream. */
const eventsQuery = {
  type: 'object',
  properties: {
    after: { type: 'integer', minimum: 0 },
    machine: { type: 'string' },
    wait: { type: 'number', minimum: 0, maximum: 60 },
  },
} as const

const text = { type: 'string' } as const
const events = { type: 'array', items: eventSchema } as const

/** `GET /v1/events?after=&machine=&wait=`, `GET /v1/machines/{name}/journal?boot=` and `/boots`. */
export const eventRoutes: FastifyPluginCallback<EventNeeds> = (app, needs, done) => {
  const { catalog, journal, store, signal, log } = needs
  app.setErrorHandler(problemAnswer(log))

  app.get<{ Querystring: { after?: number; machine?: string; wait?: number } }>(
    '/v1/events',
    {
      ...sentAsItIs,
      schema: {
        tags: ['events'],
        summary: 'What happened after an event, or waits for it',
        querystring: eventsQuery,
        response: {
          200: {
            type: 'object',
            required: ['events', 'last'],
            properties: {
              events,
              last: { type: 'integer', description: 'The `after` to go on with' },
            },
          },
        },
      },
    },
    async ({ query: { after = 0, machine, wait = 0 } }, reply) => {
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      const found = await journal.after(after, {
        limitMs: wait * 1000,
        signal: AbortSignal.any([signal, gone.signal]),
        ...(machine === undefined ? {} : { machine: nameOf(machine) }),
      })
      return reply
        .header('cache-control', 'no-store')
        .send({ events: found, last: found.at(-1)?.id ?? after })
    },
  )

  app.get<ByName & { Querystring: { boot?: string } }>(
    '/v1/machines/:name/journal',
    {
      ...sentAsItIs,
      schema: {
        tags: ['machines'],
        summary: 'One boot of a machine, by default the latest, as text or JSON',
        response: {
          200: {
            description: 'Its events, oldest first',
            content: {
              'application/json': {
                schema: { type: 'object', required: ['boot', 'events'], properties: { boot: text, events } },
              },
              'text/plain': { schema: text },
            },
          },
          '4xx': problem,
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const boots = await bootsOf(name)
      const boot = request.query.boot ?? boots[0]?.id
      if (boot === undefined) throw new NeverBooted(name)
      if (!boots.some(({ id }) => id === boot)) throw new UnknownBoot(name, boot)
      const found = await store.eventsOf(boot)
      if (request.headers.accept?.includes('application/json')) return pretty(reply, { boot, events: found })
      return plain(reply, journalText(found))
    },
  )

  app.get<ByName>(
    '/v1/machines/:name/boots',
    {
      ...sentAsItIs,
      schema: {
        tags: ['machines'],
        summary: 'All boots of a machine, newest first',
        response: { 200: { type: 'array', items: bootSchema }, '4xx': problem },
      },
    },
    async ({ params: { name } }, reply) => pretty(reply, await bootsOf(name)),
  )
  done()

  /** The machine as events have it: the name of a declared one, however it was asked for, or the MAC of another. */
  function nameOf(asked: string): string {
    return catalog().machine(identifiersIn(asked))?.name ?? normaliseMac(asked) ?? asked
  }

  function bootsOf(name: string) {
    const machine = catalog().machine(identifiersIn(name))
    const mac = normaliseMac(name)
    if (machine === undefined && mac === undefined) {
      throw new NotFound('machine', name, `'pilotlight get machines' lists all.`)
    }
    const macs = machine?.macs ?? (mac === undefined ? [] : [mac])
    return store.bootsOf({ macs, ...(machine && { machine: machine.name }) }, 1000)
  }
}

type ByName = { Params: { name: string } }
