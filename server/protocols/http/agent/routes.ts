// What the agent on a machine asks over HTTPS: its bundle, once, what it may do with its disks, and a place for its reports.

import type { FastifyPluginAsync } from 'fastify'
import type { Log } from '../../../log.ts'
import { problemAnswer } from '../wire/problems.ts'
import { diskRoutes, type DiskNeeds } from './disks.ts'
import { keyRoutes, type KeyNeeds } from './keys.ts'
import { reportRoutes, type ReportNeeds } from './reports.ts'
import { admitSenders, type SenderNeeds } from './sender.ts'

/** What these routes need of the service: together what each of them declares. */
export type AgentNeeds = SenderNeeds & KeyNeeds & DiskNeeds & ReportNeeds & { readonly log: Log }

/** The agents' routes. A token is asked for before anything of a body is read. */
export const agentRoutes: FastifyPluginAsync<AgentNeeds> = async (app, needs) => {
  const senders = admitSenders(app, needs)
  app.setErrorHandler(problemAnswer(needs.log))
  await app.register(keyRoutes, { ...needs, senders })
  await app.register(diskRoutes, { ...needs, senders })
  await app.register(reportRoutes, { ...needs, senders })
}
