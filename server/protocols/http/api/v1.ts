// The REST API of the inventory: groups, profiles, templates and machines, one by one or several at once.

import type { FastifyPluginAsync } from 'fastify'
import { KINDS } from '#model/kinds.ts'
import { problemAnswer } from '../wire/problems.ts'
import type { InventoryNeeds } from './answers.ts'
import { historyRoutes } from './history.ts'
import { objectRoutes } from './objects.ts'
import { transactionRoutes } from './transactions.ts'

/** All of them. */
export const inventoryRoutes: FastifyPluginAsync<InventoryNeeds> = async (app, needs) => {
  app.setErrorHandler(problemAnswer(needs.log))
  // A body is read as what the route takes, whatever a client calls it: curl says that JSON is a form.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, parsed) => parsed(null, body))
  for (const kind of KINDS) {
    await app.register(objectRoutes, { ...needs, kind })
    await app.register(historyRoutes, { ...needs, kind })
  }
  await app.register(transactionRoutes, needs)
}
