// Everything for people and programs: lists, journals, administration, `/v1` and the page.

import type { FastifyInstance } from 'fastify'
import { guard, type AccessPolicy } from '../../../access/guard.ts'
import type { Log } from '../../../log.ts'
import { problemAnswer } from '../wire/problems.ts'
import type { ReadCosts } from '../wire/read-costs.ts'
import { adminRoutes, type AdminNeeds } from './admin.ts'
import type { InventoryNeeds } from './answers.ts'
import { assetStoreRoutes, type AssetStoreNeeds } from './assets.ts'
import { eventRoutes, type EventNeeds } from './events.ts'
import { explainRoutes, type ExplainNeeds } from './explain.ts'
import { machineKeyRoutes, type MachineKeyNeeds } from './machine-keys.ts'
import { metricsRoutes, type MetricsNeeds } from './metrics.ts'
import { describeRoutes } from './openapi.ts'
import { pageRoutes } from './page.ts'
import { readRoutes, type ReadNeeds } from './read.ts'
import { tokenRoutes, type TokenNeeds } from './tokens.ts'
import { inventoryRoutes } from './v1.ts'

/** What these routes need of the service: together what each of them declares. */
export type ApiNeeds = ReadNeeds &
  AdminNeeds &
  InventoryNeeds &
  AssetStoreNeeds &
  EventNeeds &
  ExplainNeeds &
  MetricsNeeds &
  MachineKeyNeeds &
  TokenNeeds & { readonly log: Log }

/** What they need of their listener: who may do what there, and the time that reads may take. */
type ListenerNeeds = { readonly policy: AccessPolicy; readonly reads: Pick<ReadCosts, 'limit'> }

/** All of them, behind the guard. */
export async function apiRoutes(app: FastifyInstance, needs: ApiNeeds & ListenerNeeds): Promise<void> {
  guard(app, needs.policy)
  needs.reads.limit(app)
  app.setErrorHandler(problemAnswer(needs.log))
  await describeRoutes(app)
  await app.register(readRoutes, needs)
  await app.register(inventoryRoutes, needs)
  await app.register(assetStoreRoutes, needs)
  await app.register(adminRoutes, needs)
  await app.register(machineKeyRoutes, needs)
  await app.register(eventRoutes, needs)
  await app.register(explainRoutes, needs)
  await app.register(metricsRoutes, needs)
  await app.register(tokenRoutes, needs)
  await app.register(pageRoutes)
}
