// `GET /v1/openapi.json`: the routes below /v1, made from their own schemas.

import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'

/** Registers the description; routes that are registered after it, in the same context, are in it. */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Pilotlight',
        version: '1',
        description: 'Groups, profiles, templates, machines and what happens to them. Guide: docs/api.md.',
        license: { name: 'Apache-2.0' },
      },
    },
    transform: ({ schema, url }) => ({
      url: url.replace('/*', '/{id}'),
      schema: { ...schema, hide: !url.startsWith('/v1/') },
    }),
  })
  app.get('/v1/openapi.json', { schema: { hide: true } }, (_, reply) => reply.send(app.swagger()))
}
