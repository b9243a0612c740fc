// The keys of encrypted disks, for administrators alone. None of the routes is a GET, so each call is in the audit log.

import type { FastifyPluginCallback } from 'fastify'
import { recoveryKeySchema, unlockSchema } from '#model/disk-key.ts'
import { shown, shownSchema } from '#model/time.ts'
import type { DiskKeys } from '../../../disks/disk-keys.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import type { Log } from '../../../log.ts'
import { machineNamed } from './machines.ts'
import { problemAnswer } from '../wire/problems.ts'
import { pretty, sentAsItIs } from '../wire/replies.ts'
import { noteChange } from './audit.ts'
import { problem } from './openapi.ts'
import { refuseInClear } from './secret-in-clear.ts'

/** What these routes need of the service. */
export type DiskKeyNeeds = {
  readonly catalog: () => Catalog
  readonly diskKeys: Pick<DiskKeys, 'show' | 'permit' | 'revoke'>
  readonly log: Log
}

type ByName = { Params: { name: string } }

/** `POST /v1/machines/{name}/disk/recover` and `/v1/machines/{name}/disk/unlock`, and `DELETE` of the latter. */
export const diskKeyRoutes: FastifyPluginCallback<DiskKeyNeeds> = (app, { catalog, diskKeys, log }, done) => {
  app.setErrorHandler(problemAnswer(log))

  app.post<ByName>(
    '/v1/machines/:name/disk/recover',
    {
      ...sentAsItIs,
      config: { audit: 'disk.recover' },
      onRequest: refuseInClear,
      schema: {
        tags: ['machines'],
        summary: "Shows the recovery keys of a machine's encrypted disks, the latest first",
        response: { 200: { type: 'array', items: shownSchema(recoveryKeySchema) }, '4xx': problem },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const keys = await diskKeys.show(machineNamed(catalog(), name), request.identity.name)
      noteChange(request, { summary: `recovery key of LUKS ${keys.map(({ uuid }) => uuid).join(' ')}` })
      log('warn', 'recovery key shown', { machine: name, who: request.identity.name })
      void reply.header('cache-control', 'no-store')
      return pretty(
        reply,
        keys.map(key => shown(recoveryKeySchema, key)),
      )
    },
  )

  app.post<ByName>(
    '/v1/machines/:name/disk/unlock',
    {
      ...sentAsItIs,
      config: { audit: 'disk.unlock' },
      schema: {
        tags: ['machines'],
        summary:
          'Has the server hand the key of the disk to a machine whose TPM does not give it, within an hour',
        response: { 200: shownSchema(unlockSchema), '4xx': problem },
      },
    },
    async ({ params: { name }, identity }, reply) => {
      const unlock = await diskKeys.permit(machineNamed(catalog(), name), identity.name)
      log('info', 'disk key may be handed out', { machine: name, who: identity.name })
      return pretty(reply, shown(unlockSchema, unlock))
    },
  )

  app.delete<ByName>(
    '/v1/machines/:name/disk/unlock',
    {
      ...sentAsItIs,
      config: { audit: 'disk.lock' },
      schema: {
        tags: ['machines'],
        summary: 'Takes back the permission to hand out the key of the disk, before its hour is over',
        response: { 200: shownSchema(unlockSchema), '4xx': problem },
      },
    },
    ({ params: { name }, identity }, reply) => {
      const unlock = diskKeys.revoke(machineNamed(catalog(), name), identity.name)
      log('info', 'permission for the disk key taken back', { machine: name, who: identity.name })
      return pretty(reply, shown(unlockSchema, unlock))
    },
  )
  done()
}
