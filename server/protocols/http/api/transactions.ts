// Several writes as one: all of them are made, or none.

import type { FastifyPluginCallback } from 'fastify'
import { KINDS, type Kind } from '#model/kinds.ts'
import { BadRequest } from '../../../errors.ts'
import type { Change } from '../../../inventory/changes.ts'
import { pretty } from '../wire/replies.ts'
import {
  isDryRun,
  jsonBody,
  LARGEST_BODY,
  outcomeView,
  TRANSACTION_SHAPE,
  writeChanges,
  type WriteNeeds,
} from './writes.ts'
import { documented, transactionSchema } from './openapi.ts'

/** Changes of one transaction at most: no other request is served while it is made. */
const MOST_CHANGES = 10_000

/** `POST /v1/transactions`. */
export const transactionRoutes: FastifyPluginCallback<WriteNeeds> = (app, needs, done) => {
  app.post(
    '/v1/transactions',
    {
      ...documented({ tags: [], summary: '', audit: 'transaction.make' }),
      bodyLimit: LARGEST_BODY,
      schema: transactionSchema,
    },
    async (request, reply) => {
      const dryRun = isDryRun(request)
      const changes = changesIn(jsonBody(request, TRANSACTION_SHAPE))
      const { outcomes, lints } = await writeChanges(request, changes, needs)
      return pretty(reply, { dryRun, outcomes: outcomes.map(outcome => outcomeView(outcome, dryRun)), lints })
    },
  )
  done()
}

function changesIn(body: unknown): Change[] {
  const { changes } = (body ?? {}) as { changes?: unknown } // checked next
  if (!Array.isArray(changes)) throw new BadRequest('The body is {"changes": [{"kind", "object"}, …]}.')
  if (changes.length > MOST_CHANGES) {
    throw new BadRequest(
      `${changes.length} changes are too many for one transaction; send at most ${MOST_CHANGES}.`,
    )
  }
  const seen = new Set<string>()
  return changes.map((value: unknown, at) => {
    const change = changeIn(value, at)
    const key = `${change.kind} ${change.action === 'delete' ? change.id : JSON.stringify(idIn(change))}`
    if (seen.has(key)) throw new BadRequest(`changes[${at}]: ${key} is there twice. Keep one.`)
    seen.add(key)
    return change
  })
}

function changeIn(value: unknown, at: number): Change {
  const { action = 'put', kind, id, object, expect } = (value ?? {}) as Record<string, unknown> // checked next
  const refuse = (what: string) => new BadRequest(`changes[${at}]: ${what}`)
  if (!KINDS.includes(kind as Kind))
    throw refuse(`kind is ${JSON.stringify(kind)}; it is one of ${KINDS.join(' ')}.`)
  if (expect !== undefined && typeof expect !== 'string')
    throw refuse('expect is a version, "absent" or "present".')
  const condition = expect === undefined ? {} : { expect }
  if (action === 'delete') {
    if (typeof id !== 'string') throw refuse('a deletion has the id of what it removes.')
    return { action, kind: kind as Kind, id, ...condition }
  }
  if (action !== 'put') throw refuse(`action is ${JSON.stringify(action)}; it is put or delete.`)
  if (typeof object !== 'object' || object === null) throw refuse('object is missing.')
  return { action, kind, object, ...condition } as Change // the object itself is checked by the inventory
}

function idIn(change: Change & { readonly action: 'put' }): unknown {
  const { id, name } = change.object as { id?: unknown; name?: unknown } // not checked yet
  return change.kind === 'machine' ? name : id
}
