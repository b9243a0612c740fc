// What was written to an object, by whom and when, and the way back.

import type { FastifyPluginCallback } from 'fastify'
import type { Kind } from '#model/kinds.ts'
import { BadRequest } from '../../../errors.ts'
import { NotStored, PreconditionRequired } from '../../../store/errors.ts'
import { auditingOf, noteAudited } from './audit.ts'
import { linkNext, pageOf, type PageQuery } from './paging.ts'
import { pretty } from '../wire/replies.ts'
import { answerOutcome, expectationOf, isDryRun, jsonBody, pluralOf, type WriteNeeds } from './writes.ts'
import { documented } from './openapi.ts'

/** `GET /v1/groups/{id}/history` and `POST /v1/groups/{id}/revert`; so for every kind. A `/` in an id is `%2F` here. */
export const historyRoutes: FastifyPluginCallback<WriteNeeds & { readonly kind: Kind }> = (
  app,
  { inventory, kind },
  done,
) => {
  const folder = `/v1/${pluralOf(kind)}/:id`
  const tags = [pluralOf(kind)]

  app.get<ById & { Querystring: PageQuery }>(
    `${folder}/history`,
    documented({ tags, summary: `All writes of a ${kind}, newest first` }),
    async (request, reply) => {
      const { id } = request.params
      const { query } = request
      const history = await inventory.history(kind, id)
      if (history.length === 0 && inventory.get(kind, id) === undefined) throw new NotStored(kind, id)
      const writes = history.map(write => ({ id: String(write.revision), write }))
      const { items, next } = pageOf(writes, query)
      linkNext(reply, `/v1/${pluralOf(kind)}/${encodeURIComponent(id)}/history`, query, next)
      return pretty(reply, {
        items: items.map(({ write: { at, ...revision } }) => ({
          ...revision,
          at: new Date(at).toISOString(),
        })),
        ...(next === undefined ? {} : { next }),
      })
    },
  )

  app.post<ById>(
    `${folder}/revert`,
    documented({
      tags,
      summary: `Makes a ${kind} again what it was at {"revision": 12}`,
      audit: `${kind}.revert`,
    }),
    async (request, reply) => {
      const { id } = request.params
      const { revision } = (jsonBody(request) ?? {}) as { revision?: unknown } // its type is checked next
      if (!Number.isSafeInteger(revision)) {
        throw new BadRequest('The body is {"revision": N}, with a number that the history shows.')
      }
      const expect = expectationOf(request, inventory.get(kind, id))
      if (expect === undefined) throw new PreconditionRequired('Going back undoes every write since.')
      const dryRun = isDryRun(request)
      const options = { who: request.identity.name, audit: auditingOf(request), dryRun, expect }
      const [outcome] = await inventory.revert(kind, id, revision as number, options) // an integer, as was just asked
      noteAudited(request)
      return answerOutcome(reply, outcome!, dryRun ? [] : undefined) // one change, one outcome
    },
  )
  done()
}

type ById = { Params: { id: string } }
