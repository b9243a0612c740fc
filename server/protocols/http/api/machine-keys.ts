// The keys that machines showed, and what an operator decides on them.

import type { FastifyPluginCallback } from 'fastify'
import type { MachineKeyView, ReopeningView, KeyState, MachineKey } from '#model/machine-key.ts'
import type { Enrolment } from '../../../agent/enrolment.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import type { Reopening } from '../../../store/machine-records.ts'
import type { Log } from '../../../log.ts'
import { noteChange } from './audit.ts'
import { limitOf, linkNext, nothingAfter, type PageQuery } from './paging.ts'
import { machineNamed } from './machines.ts'
import { problemAnswer } from '../wire/problems.ts'
import { pretty } from '../wire/replies.ts'

/** What these routes need of the service. */
export type MachineKeyNeeds = {
  readonly catalog: () => Catalog
  readonly enrolment: Pick<Enrolment, 'keys' | 'approve' | 'reject' | 'reopen' | 'close' | 'reopened'>
  readonly log: Log
}

/** Which key of a machine an operator means. */
const keyBody = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: {
    fingerprint: { type: 'string', minLength: 1, maxLength: 128 },
    isOnly: {
      type: 'boolean',
      description: 'approve only when neither the boot of the key nor a later one showed another key',
    },
  },
} as const

const SUMMARY = {
  approve: 'approves a key: the one that waits, or the one named',
  reject:
    'rejects a key: the one that waits or that the machine has, or the one named; its encrypted disk gets no key from then on',
} as const

type KeyQuery = PageQuery & { readonly state?: KeyState }
type ByName = { Params: { name: string } }
type OnKey = ByName & { Body: { fingerprint?: string; isOnly?: boolean } | null }

/**
 * `GET /v1/keys?state=`, `GET /v1/machines/{name}/keys`, `GET /v1/reopened`, and an operator's `POST
 * /v1/machines/{name}/approve`, `/reject` and `/reopen`, and `DELETE /v1/machines/{name}/reopen`.
 */
export const machineKeyRoutes: FastifyPluginCallback<MachineKeyNeeds> = (app, needs, done) => {
  const { catalog, enrolment, log } = needs
  app.setErrorHandler(problemAnswer(log))

  app.get<{ Querystring: KeyQuery }>(
    '/v1/keys',
    {
      schema: {
        ...about('The keys that machines showed, of one state where it is named'),
        querystring: {
          type: 'object',
          properties: {
            state: { enum: ['pending', 'approved', 'rejected', 'retired'] },
            limit: { type: 'string' },
            after: { type: 'string' },
          },
        },
      },
    },
    async ({ query }, reply) => {
      const { items, next } = keyPage(await enrolment.keys(), query)
      const { state } = query
      linkNext(reply, '/v1/keys', query, next, state === undefined ? {} : { state })
      return pretty(reply, items.map(viewOf))
    },
  )

  app.get<ByName & { Querystring: PageQuery }>(
    '/v1/machines/:name/keys',
    { schema: about('The keys that a machine showed, the last one first') },
    async ({ params: { name }, query }, reply) => {
      const { items, next } = keyPage(await enrolment.keys(machineNamed(catalog(), name).name), query)
      linkNext(reply, `/v1/machines/${encodeURIComponent(name)}/keys`, query, next)
      return pretty(reply, items.map(viewOf))
    },
  )

  for (const verb of ['approve', 'reject'] as const) {
    app.post<OnKey>(
      `/v1/machines/:name/${verb}`,
      {
        config: { audit: `machine.${verb}` },
        schema: { ...about(SUMMARY[verb]), body: keyBody },
      },
      async (request, reply) => {
        const { body, identity } = request
        const { name } = request.params
        const machine = machineNamed(catalog(), name)
        const key = await enrolment[verb](machine, body ?? {}, identity.name)
        noteChange(request, { summary: `key ${key.fingerprint}` })
        log('info', `key ${key.state}`, { machine: name, fingerprint: key.fingerprint, who: identity.name })
        return pretty(reply, viewOf(key))
      },
    )
  }

  app.post<ByName>(
    '/v1/machines/:name/reopen',
    {
      config: { audit: 'machine.reopen' },
      schema: about('opens the next boot of a machine that was ready, or whose key was pinned'),
    },
    async ({ params: { name }, identity }, reply) => {
      const opened = await enrolment.reopen(machineNamed(catalog(), name), identity.name)
      log('info', 'machine opened', { machine: name, who: identity.name })
      return pretty(reply, reopeningView(opened))
    },
  )
  app.delete<ByName>(
    '/v1/machines/:name/reopen',
    {
      config: { audit: 'machine.close' },
      schema: about('closes a machine that was opened, before its time'),
    },
    async ({ params: { name }, identity }, reply) => {
      const closed = await enrolment.close(machineNamed(catalog(), name), identity.name)
      log('info', 'machine closed', { machine: name, who: identity.name })
      return pretty(reply, reopeningView(closed))
    },
  )
  app.get(
    '/v1/reopened',
    { schema: about('The machines whose next boot an operator opened, and until when') },
    (_, reply) => pretty(reply, enrolment.reopened().map(reopeningView)),
  )
  done()
}

function idOf({ machine, fingerprint }: MachineKey): string {
  return `${machine}/${fingerprint}`
}

/** What the API shows of a reopening. */
function reopeningView({ machine, who, at, until }: Reopening): ReopeningView {
  return { machine, who, at: new Date(at).toISOString(), until: new Date(until).toISOString() }
}

/**
 * The keys of one state behind `after`, which is `machine/fingerprint`. The place is looked for among all keys: one that was
 * decided since the page before still has its place.
 *
 * @throws {BadRequest} when `limit` is not a number above 0, or `after` is not in the list
 */
function keyPage(
  keys: readonly MachineKey[],
  query: KeyQuery,
): { readonly items: readonly MachineKey[]; readonly next?: string } {
  const { after, state } = query
  const limit = limitOf(query)
  const start = after === undefined ? 0 : keys.findIndex(key => idOf(key) === after) + 1
  if (after !== undefined && start === 0) throw nothingAfter(after)
  const wanted = keys.slice(start).filter(key => state === undefined || key.state === state)
  const items = wanted.slice(0, limit)
  const last = items.at(-1)
  return wanted.length > limit && last !== undefined ? { items, next: idOf(last) } : { items }
}

function viewOf({ seenAt, decidedAt, ...key }: MachineKey): MachineKeyView {
  const decided = decidedAt === undefined ? {} : { decided: new Date(decidedAt).toISOString() }
  return { ...key, seen: new Date(seenAt).toISOString(), ...decided }
}

/** What the description of the API says of a route. */
function about(summary: string) {
  return { tags: ['machines'], summary }
}
