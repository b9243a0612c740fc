// `GET /v1/explain?mac=...`: why a machine gets what it gets.

import type { FastifyPluginCallback } from 'fastify'
import { bytesOf } from '#model/text.ts'
import { explain } from '../../../boot/explain/explain.ts'
import { explanationText } from '../../../boot/explain/explanation-text.ts'
import { givenLabels, parseLabels, rawQueryOf } from '../../../boot/match/labels.ts'
import type { Sources } from '../../../boot/render/answers.ts'
import { targetOf } from '../wire/raw-targets.ts'
import { pretty } from '../wire/replies.ts'

/** What this route needs of the service. */
export type ExplainNeeds = {
  readonly sources: () => Sources
  readonly assetsPath: string | undefined
}

const schema = {
  tags: ['explain'],
  summary: 'Which group takes a machine with these labels, why no other does, and what it would be served',
  description:
    'Takes the query of a boot route: any label, for example `mac` or `uuid`. Text for people with `Accept: text/plain`. Nothing is recorded, and no token is given.',
  querystring: {
    type: 'object',
    // Any other label is taken too. No `additionalProperties` says so: the description would list it as a parameter.
    properties: {
      mac: { type: 'string', description: 'The MAC of the machine' },
      uuid: { type: 'string', description: 'Its SMBIOS UUID' },
      all: {
        type: 'boolean',
        description: 'List all groups that do not take it, and not only those that miss least',
      },
    },
  },
} as const

/** `GET /v1/explain`: why the machine with these labels gets what it gets. */
export const explainRoutes: FastifyPluginCallback<ExplainNeeds> = (app, { sources, assetsPath }, done) => {
  app.get('/v1/explain', { schema, validatorCompiler: () => () => true }, (request, reply) => {
    const query = rawQueryOf(targetOf(request.raw))
    const { all, ...given } = givenLabels(query)
    const isAll = all === '' || all === 'true'
    const { all: unwanted, ...others } = parseLabels(query)
    const labels = isAll || unwanted === undefined ? others : { ...others, all: unwanted }
    const explanation = explain(sources(), labels, { given, assetsPath, all: isAll })
    if (request.headers.accept?.startsWith('text/plain') !== true) return pretty(reply, explanation)
    return reply.type('text/plain; charset=utf-8').send(bytesOf(explanationText(explanation)))
  })
  done()
}
