// Everything for people and programs: lists, journals, administration, `/v1` and the page.

import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { KINDS } from '#model/kinds.ts'
import { guard, type AccessPolicy } from '../../../access/guard.ts'
import type { Log } from '../../../log.ts'
import { problemAnswer } from '../wire/problems.ts'
import type { ReadCosts } from '../wire/read-costs.ts'
import { alarmRoutes, type AlarmNeeds } from './alarms.ts'
import { auditRoutes, auditWrites, type AuditNeeds } from './audit.ts'
import { diagnosisRoutes, type DiagnosisNeeds } from './diagnosis.ts'
import { leaseRoutes, type LeaseNeeds } from './leases.ts'
import { siteRoutes, type SiteNeeds } from './sites.ts'
import type { WriteNeeds } from './writes.ts'
import { assetStoreRoutes, type AssetStoreNeeds } from './assets.ts'
import { eventRoutes, type EventNeeds } from './events.ts'
import { explainRoutes, type ExplainNeeds } from './explain.ts'
import { consoleRoutes, type ConsoleNeeds } from './consoles.ts'
import { diskKeyRoutes, type DiskKeyNeeds } from './disk-keys.ts'
import { orderRoutes, type OrderNeeds } from './orders.ts'
import { machineKeyRoutes, type MachineKeyNeeds } from './machine-keys.ts'
import { historyRoutes } from './history.ts'
import { objectRoutes } from './objects.ts'
import { transactionRoutes } from './transactions.ts'
import { metricsRoutes, type MetricsNeeds } from './metrics.ts'
import { describeRoutes } from './openapi.ts'
import { pageRoutes } from './page.ts'
import { listRoutes, type ListNeeds } from './lists.ts'
import { accessTokenRoutes, type AccessTokenNeeds } from './access-tokens.ts'

/** What these routes need of the service: together what each of them declares. */
export type ApiNeeds = ListNeeds &
  SiteNeeds &
  WriteNeeds &
  AssetStoreNeeds &
  EventNeeds &
  ExplainNeeds &
  MetricsNeeds &
  MachineKeyNeeds &
  OrderNeeds &
  DiskKeyNeeds &
  ConsoleNeeds &
  AccessTokenNeeds &
  AlarmNeeds &
  AuditNeeds &
  DiagnosisNeeds &
  LeaseNeeds & { readonly log: Log }

/** What they need of their listener: who may do what there, and the time that reads may take. */
type ListenerNeeds = { readonly policy: AccessPolicy; readonly reads: Pick<ReadCosts, 'limit'> }

/** All of them, behind the guard. */
export async function apiRoutes(app: FastifyInstance, needs: ApiNeeds & ListenerNeeds): Promise<void> {
  guard(app, needs.policy)
  auditWrites(app, needs)
  needs.reads.limit(app)
  app.setErrorHandler(problemAnswer(needs.log))
  describeRoutes(app)
  await app.register(listRoutes, needs)
  await app.register(inventoryRoutes, needs)
  await app.register(assetStoreRoutes, needs)
  await app.register(siteRoutes, needs)
  await app.register(machineKeyRoutes, needs)
  await app.register(orderRoutes, needs)
  await app.register(diskKeyRoutes, needs)
  await app.register(consoleRoutes, needs)
  await app.register(eventRoutes, needs)
  await app.register(explainRoutes, needs)
  await app.register(metricsRoutes, needs)
  await app.register(accessTokenRoutes, needs)
  await app.register(alarmRoutes, needs)
  await app.register(auditRoutes, needs)
  await app.register(leaseRoutes, needs)
  await app.register(diagnosisRoutes, needs)
  await app.register(pageRoutes)
}

/** The objects of the inventory: groups, profiles, templates and machines, one by one or several at once. */
const inventoryRoutes: FastifyPluginAsync<WriteNeeds> = async (app, needs) => {
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
