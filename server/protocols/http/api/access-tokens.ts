// Access tokens over the API: made, listed and revoked by administrators.

import type { FastifyPluginCallback } from 'fastify'
import { ACCESS_ROLES, accessRoleSchema } from '#model/role.ts'
import type { NewToken } from '#model/token.ts'
import type { AccessTokens } from '../../../access/access-tokens.ts'
import type { Log } from '../../../log.ts'
import { noteChange } from './audit.ts'
import { pretty } from '../wire/replies.ts'

/** What these routes need of the service. */
export type AccessTokenNeeds = {
  readonly accessTokens: Pick<AccessTokens, 'create' | 'list' | 'revoke'>
  readonly log: Log
}

const rolesSchema = {
  type: 'object',
  properties: { items: { type: 'array', items: accessRoleSchema } },
} as const

const tokenBody = {
  type: 'object',
  required: ['name', 'role'],
  additionalProperties: false,
  properties: {
    name: { type: 'string' },
    role: { enum: ['admin', 'read-only'] },
    days: { type: 'number', exclusiveMinimum: 0, maximum: 36_500 },
  },
} as const

/** `GET /v1/tokens`, `POST /v1/tokens`, `DELETE /v1/tokens/{name}`, and `GET /v1/roles`. */
export const accessTokenRoutes: FastifyPluginCallback<AccessTokenNeeds> = (
  app,
  { accessTokens, log },
  done,
) => {
  app.get(
    '/v1/tokens',
    { config: { access: 'admin' }, schema: about('lists the access tokens') },
    (_, reply) => pretty(reply, accessTokens.list()),
  )

  app.post<{ Body: NewToken }>(
    '/v1/tokens',
    {
      config: { audit: 'token.create' },
      schema: { ...about('makes an access token, and shows it this once'), body: tokenBody },
    },
    (request, reply) => {
      const { name, role, days } = request.body
      const lasting = days === undefined ? '' : ` for ${days} days`
      noteChange(request, { name, summary: `role ${role}${lasting}` })
      const made = accessTokens.create(request.body)
      log('info', 'token made', { token: made.name, role: made.role, who: request.identity.name })
      return pretty(reply.code(201).header('cache-control', 'no-store'), made)
    },
  )

  app.delete<{ Params: { name: string } }>(
    '/v1/tokens/:name',
    { config: { audit: 'token.revoke' }, schema: about('ends an access token') },
    (request, reply) => {
      const { name } = request.params
      accessTokens.revoke(name)
      log('info', 'token revoked', { token: name, who: request.identity.name })
      return reply.code(204).send()
    },
  )

  app.get(
    '/v1/roles',
    { schema: { ...about('What each access role may do'), response: { 200: rolesSchema } } },
    (_, reply) => pretty(reply, { items: ACCESS_ROLES }),
  )
  done()
}

/** What the description of the API says of a route. */
function about(summary: string) {
  return { tags: ['tokens'], summary }
}
