// `GET /v1/openapi.json`: the description of the API, made from the routes' own schemas, and what those of the inventory take
// and give. The inventory itself checks the bodies, and says more about what is wrong with them.

import fastify, { type FastifyInstance, type RouteOptions, type RouteShorthandOptions } from 'fastify'
import { KINDS, SCHEMAS, type Kind } from '#model/kinds.ts'
import { LARGEST_BODY, LARGEST_OBJECT } from './writes.ts'

/**
 * Registers the description; routes that are registered after it, in the same context, are in it. It is made when it is first
 * asked for, by an app that has the same routes and no other use: what describes them is large, and most servers are never asked.
 */
export function describeRoutes(app: FastifyInstance): void {
  const routes: RouteOptions[] = []
  app.addHook('onRoute', route => void routes.push(route))
  let described: Promise<unknown> | undefined
  app.get('/v1/openapi.json', { schema: { hide: true } }, () => (described ??= descriptionOf(routes)))
}

const NOTHING = () => {}

async function descriptionOf(routes: readonly RouteOptions[]): Promise<unknown> {
  const { default: swagger } = await import('@fastify/swagger')
  const app = fastify({ exposeHeadRoutes: false })
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
  const compilers = { validatorCompiler: () => () => true, serializerCompiler: () => () => '' }
  for (const { method, url, schema = {} } of routes)
    if (method !== 'HEAD') app.route({ method, url, schema, ...compilers, handler: NOTHING })
  await app.ready()
  return app.swagger()
}

const text = { type: 'string' } as const

const fault = {
  type: 'object',
  properties: {
    pointer: { ...text, description: 'JSON pointer to what it is about' },
    detail: text,
    line: { type: 'integer' },
    column: { type: 'integer' },
  },
} as const

/** Every refusal. */
export const problem = {
  description:
    'A problem (RFC 9457): `title` is a code for programs, `detail` says what, where and how to fix it.',
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        properties: {
          type: text,
          title: text,
          status: { type: 'integer' },
          detail: text,
          errors: { type: 'array', items: fault },
        },
      },
    },
  },
} as const

const outcome = {
  type: 'object',
  properties: {
    kind: { enum: KINDS },
    id: text,
    result: { enum: ['created', 'changed', 'unchanged', 'deleted'] },
    version: { ...text, description: 'Of what is there now: its ETag without the quotes' },
    warnings: { type: 'array', items: fault },
    diff: { ...text, description: 'Of a dry run: what would change, as `diff -u` shows it' },
  },
} as const

/** What a list may be narrowed by. */
export function listQuery(kind: Kind) {
  return {
    type: 'object',
    additionalProperties: false,
    properties: {
      after: { ...text, description: 'The last id of the page before' },
      limit: { type: 'integer', minimum: 1, maximum: 10_000, description: 'A page has 1,000 at most' },
      q: { ...text, description: 'A part of id or name, in any case' },
      source: { enum: ['store', 'directory'] },
      site: text,
      ...(kind === 'group' ? { profile: { ...text, description: 'Groups that use this profile' } } : {}),
    },
  } as const
}

/** A page of a list. */
export function listSchema(kind: Kind) {
  const own = kind === 'template' ? { bytes: { type: 'integer' } } : { object: SCHEMAS[kind] }
  const meta = { id: text, version: text, source: text, site: text, modified: text, who: text }
  const item = { type: 'object', properties: { ...meta, ...own } }
  return { type: 'object', properties: { items: { type: 'array', items: item }, next: text } } as const
}

const dryRun = { type: 'object', properties: { dryRun: { type: 'boolean' } } } as const

/** `POST /v1/transactions`. */
export const transactionSchema = {
  tags: ['transactions'],
  summary: 'Makes several changes, or none of them',
  querystring: dryRun,
  body: {
    type: 'object',
    required: ['changes'],
    properties: {
      changes: {
        type: 'array',
        items: {
          type: 'object',
          required: ['kind'],
          properties: {
            action: { enum: ['put', 'delete'], default: 'put' },
            kind: { enum: KINDS },
            id: { ...text, description: 'Of a deletion' },
            object: { oneOf: KINDS.map(kind => SCHEMAS[kind]) },
            expect: { ...text, description: 'A version, `absent` or `present`; whatever is there otherwise' },
          },
        },
      },
    },
  },
  response: {
    200: {
      description: 'All were made',
      type: 'object',
      properties: { dryRun: { type: 'boolean' }, outcomes: { type: 'array', items: outcome } },
    },
    '4xx': problem,
  },
} as const

/** Options of a route whose body and answer are the inventory's own business. */
export function documented({
  tags,
  summary,
  body,
  object,
  audit,
}: {
  readonly tags: readonly string[]
  readonly summary: string
  readonly body?: Kind
  readonly object?: Kind
  /** Of a route that writes: what the audit log calls it. */
  readonly audit?: string
}): RouteShorthandOptions {
  const isWrite = audit !== undefined
  const answer = isWrite ? outcome : object === undefined ? { type: 'object' } : SCHEMAS[object]
  return {
    ...(isWrite ? { config: { access: 'objects', audit } } : {}),
    bodyLimit: body === 'template' ? LARGEST_BODY : LARGEST_OBJECT,
    validatorCompiler: () => () => true,
    serializerCompiler: () => value => JSON.stringify(value),
    schema: {
      tags: [...tags],
      summary,
      ...(isWrite ? { querystring: dryRun } : {}),
      ...(body === undefined ? {} : { body: SCHEMAS[body] }),
      response: { 200: { description: 'Done', ...answer }, '4xx': problem },
    },
  }
}
