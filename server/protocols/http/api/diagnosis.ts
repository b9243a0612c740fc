// `POST /v1/diagnosis`: the server looks at itself and at its network. It sends packets, so it is not a GET.

import type { FastifyPluginCallback } from 'fastify'
import { diagnosisSchema, type Diagnosis } from '#model/diagnosis.ts'
import { siteSchema, type SiteObjects } from '#model/site.ts'
import type { Log } from '../../../log.ts'
import { problemAnswer } from '../wire/problems.ts'
import { pretty } from '../wire/replies.ts'
import { noteAudited } from './audit.ts'

/** What this route needs of the service. */
export type DiagnosisNeeds = {
  readonly diagnose: (order: {
    readonly site?: { readonly name: string; readonly objects: SiteObjects }
    readonly only?: readonly string[]
  }) => Promise<{ readonly version: string; readonly items: readonly Diagnosis[] }>
  readonly log: Log
}

type Body = { readonly name?: string; readonly site?: SiteObjects; readonly only?: readonly string[] }

/** As many bytes as `PUT /v1/sites/{name}` takes. */
const BODY_BYTES = 16 << 20

const schema = {
  tags: ['sites'],
  summary: 'Looks at this server and its network as `pilotlight doctor` does; some 5 s',
  body: {
    type: 'object',
    additionalProperties: false,
    properties: {
      name: { type: 'string', maxLength: 63, description: 'The name of `site`' },
      site: { ...siteSchema, description: 'A site as if it were put; those that are, unless given' },
      only: {
        type: 'array',
        maxItems: 32,
        items: { type: 'string', maxLength: 32 },
        description: 'The checks that are made; all unless given',
      },
    },
  },
  response: {
    200: {
      type: 'object',
      properties: {
        version: { type: 'string', description: 'Of this server' },
        items: { type: 'array', items: diagnosisSchema },
      },
    },
  },
} as const

/** `POST /v1/diagnosis`: makes the checks of a diagnosis. */
export const diagnosisRoutes: FastifyPluginCallback<DiagnosisNeeds> = (app, { diagnose, log }, done) => {
  app.setErrorHandler(problemAnswer(log))
  app.post<{ Body: Body }>(
    '/v1/diagnosis',
    { config: { audit: 'server.diagnose' }, schema, bodyLimit: BODY_BYTES },
    async (request, reply) => {
      const { name = '', site, only } = request.body
      noteAudited(request)
      const found = await diagnose({
        ...(site === undefined ? {} : { site: { name, objects: site } }),
        ...(only === undefined ? {} : { only }),
      })
      return pretty(reply, found)
    },
  )
  done()
}
