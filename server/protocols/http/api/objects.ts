// One kind of object over HTTP: lists, single objects, and writes with conditions (RFC 9110 §13), merges (RFC 7396) and
// dry runs.

import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { isRecord } from '#model/record.ts'
import { idOf, type Kind, type KindedObject } from '#model/kinds.ts'
import type { Template } from '#model/template.ts'
import { bytesOf } from '#model/text.ts'
import { BadRequest } from '../../../errors.ts'
import { NotStored } from '../../../store/errors.ts'
import type { Change, Entry } from '../../../inventory/changes.ts'
import {
  answerOutcome,
  etagOf,
  expectationOf,
  isListed,
  jsonBody,
  pluralOf,
  textBody,
  writeChanges,
  type WriteNeeds,
} from './writes.ts'
import { LARGEST_PAGE, nothingAfter } from './paging.ts'
import { pretty } from '../wire/replies.ts'
import { documented, listQuery, listSchema } from './openapi.ts'

type Needs = WriteNeeds & { readonly kind: Kind }
type ById = { Params: { '*': string } }
type ListQuery = {
  readonly after?: string
  readonly limit?: number
  readonly q?: string
  readonly source?: 'store' | 'directory'
  readonly site?: string
  readonly profile?: string
}

/** `GET /v1/groups`, and `GET`, `PUT`, `PATCH`, `DELETE` of `/v1/groups/{id}`; so for every kind. */
export const objectRoutes: FastifyPluginCallback<Needs> = (app, needs, done) => {
  const { inventory, kind } = needs
  const folder = `/v1/${pluralOf(kind)}`
  const one = `${folder}/*`
  const tags = [pluralOf(kind)]

  app.get<{ Querystring: ListQuery }>(
    folder,
    {
      schema: {
        tags,
        summary: `Lists ${pluralOf(kind)}, in the byte order of their ids`,
        querystring: listQuery(kind),
        response: { 200: listSchema(kind) },
      },
      // The answer is written as it is: a schema would leave out what it does not know.
      serializerCompiler: () => JSON.stringify,
    },
    ({ query }, reply) => {
      const { items, next } = page(inventory.list(kind), query)
      if (next !== undefined) void reply.header('link', `<${nextUrl(folder, query, next)}>; rel="next"`)
      return pretty(reply, { items: items.map(entryView), ...(next === undefined ? {} : { next }) })
    },
  )

  app.get<ById>(one, documented({ tags, summary: `One ${kind}`, object: kind }), (request, reply) => {
    const entry = known(request)
    const etag = etagOf(entry.version)
    void reply.header('etag', etag).header('x-source', entry.site ?? entry.source)
    if (entry.at !== undefined) void reply.header('last-modified', new Date(entry.at).toUTCString())
    if (isListed(request.headers['if-none-match'], etag)) return reply.code(304).send()
    return sendObject(request, reply, entry)
  })

  app.put<ById>(
    one,
    documented({
      tags,
      summary: `Puts a ${kind} in place of what is there`,
      body: kind,
      audit: `${kind}.put`,
    }),
    (request, reply) => write(request, reply, { action: 'put', ...objectIn(request) }),
  )

  if (kind !== 'template') {
    app.patch<ById>(
      one,
      documented({
        tags,
        summary: `Changes fields of a ${kind}: a JSON merge patch`,
        audit: `${kind}.patch`,
      }),
      (request, reply) => {
        const entry = known(request)
        const object = mergePatch(entry.object, jsonBody(request))
        // The patch is merged into what was read: a write by another client in between is a conflict.
        const expect = expectationOf(request, entry) ?? entry.version
        return write(request, reply, { action: 'put', ...named(kind, object, entry.id), expect })
      },
    )
  }

  app.delete<ById>(
    one,
    documented({ tags, summary: `Removes a ${kind}`, audit: `${kind}.delete` }),
    (request, reply) => write(request, reply, { action: 'delete', kind, id: request.params['*'] }),
  )
  done()

  async function write(
    request: FastifyRequest<ById>,
    reply: FastifyReply,
    change: Change,
  ): Promise<FastifyReply> {
    const expect = change.expect ?? expectationOf(request, inventory.get(kind, request.params['*']))
    const expecting = { ...change, ...(expect === undefined ? {} : { expect }) }
    const { outcomes, lints } = await writeChanges(request, [expecting], needs)
    return answerOutcome(reply, outcomes[0]!, lints) // one change, one outcome
  }

  function known({ params }: FastifyRequest<ById>): Entry {
    const entry = inventory.get(kind, params['*'])
    if (entry === undefined) throw new NotStored(kind, params['*'])
    return entry
  }

  function objectIn(request: FastifyRequest<ById>): KindedObject {
    const id = request.params['*']
    // A template is its bytes; anything else is JSON.
    if (kind === 'template') return { kind, object: { id, content: textBody(request) } }
    return named(kind, jsonBody(request), id)
  }
}

/** An object for the place it is put: its id may be left out, but not differ. Everything else is checked later. */
function named(kind: Kind, object: unknown, id: string): KindedObject {
  const key = kind === 'machine' ? 'name' : 'id'
  if (!isRecord(object)) {
    throw new BadRequest(`The body is not a JSON object, as a ${kind} is.`)
  }
  const given = { [key]: id, ...object } as Record<string, unknown>
  const it = { kind, object: given } as unknown as KindedObject // the check reports what it lacks
  if (idOf(it) !== id) {
    throw new BadRequest(
      `The ${key} in the body is ${JSON.stringify(given[key])}, in the path "${id}". Use one.`,
    )
  }
  return it
}

/** `target` with the JSON merge patch `patch` (RFC 7396): null removes a field. Neither is changed. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch
  const merged: Record<string, unknown> = isRecord(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], value)
  }
  return merged
}

function sendObject(request: FastifyRequest, reply: FastifyReply, { kind, object }: Entry): FastifyReply {
  if (kind !== 'template') return pretty(reply, object)
  const template = object as Template // of that kind
  if (request.headers.accept?.includes('application/json')) return pretty(reply, template)
  return reply.type('text/plain; charset=utf-8').send(bytesOf(template.content))
}

/** An entry in a list; of templates only the size, since their contents may be large. */
function entryView({ kind, id, object, version, source, site, at, who }: Entry): object {
  return {
    id,
    version,
    source,
    ...(site === undefined ? {} : { site }),
    ...(at === undefined ? {} : { modified: new Date(at).toISOString(), who }),
    ...(kind === 'template' ? { bytes: bytesOf((object as Template).content).length } : { object }),
  }
}

function page(
  entries: readonly Entry[],
  { after, limit: wanted = LARGEST_PAGE, q, source, site, profile }: ListQuery,
): { items: Entry[]; next?: string } {
  const start = after === undefined ? 0 : entries.findIndex(({ id }) => id === after) + 1
  if (after !== undefined && start === 0) {
    throw nothingAfter(after)
  }
  const limit = Math.min(wanted, LARGEST_PAGE)
  const text = q?.toLowerCase()
  const items: Entry[] = []
  for (let at = start; at < entries.length; at += 1) {
    const entry = entries[at]! // at < its length
    const { name, profile: uses } = entry.object as { name?: string; profile?: string } // of some kinds
    if (text !== undefined && !`${entry.id} ${name ?? ''}`.toLowerCase().includes(text)) continue
    if (source !== undefined && entry.source !== source) continue
    if (site !== undefined && entry.site !== site) continue
    if (profile !== undefined && uses !== profile) continue
    if (items.length === limit) return { items, next: items.at(-1)?.id ?? '' }
    items.push(entry)
  }
  return { items }
}

function nextUrl(folder: string, query: ListQuery, next: string): string {
  const words = Object.entries({ ...query, after: next }).map(([key, value]) => [key, String(value)])
  return `${folder}?${new URLSearchParams(words as [string, string][]).toString()}`
}
