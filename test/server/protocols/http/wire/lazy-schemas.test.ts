// Schemas of routes are compiled when they are first used, by the compilers of Fastify.

import fastify from 'fastify'
import t from 'tap'
import { KINDS, SCHEMAS } from '#model/kinds.ts'
import { OWN_FORMATS, OWN_KEYWORDS } from '#model/schema.ts'
import { lazyCompilers, lazySerializers, lazyValidators } from '#server/protocols/http/wire/lazy-schemas.ts'
import { testServer } from '../../../serving.ts'

t.test('a compiler is loaded with the first value, and a schema compiled once', t => {
  const done: string[] = []
  const build = lazyValidators(() => {
    done.push('load')
    return () => route => {
      done.push(`compile ${String(route.schema)}`)
      return Object.assign((value: unknown) => value === 1, { errors: ['not 1'] })
    }
  })
  const compile = build({}, {})
  const [one, other] = [compile({ schema: 'one' }), compile({ schema: 'other' })]
  t.strictSame(done, [])
  t.equal(one(1), true)
  t.equal(one(2), false)
  t.strictSame(one.errors, ['not 1'])
  t.strictSame(done, ['load', 'compile one'])
  t.equal(other(1), true)
  t.strictSame(done, ['load', 'compile one', 'compile other'])
  const write = lazySerializers(() => () => () => value => `<${String(value)}>`)({}, {})({ schema: {} })
  t.equal(write(3), '<3>')
  t.end()
})

t.test('a schema that is wrong fails with the first value, and again with the next', t => {
  const build = lazyValidators(() => () => () => {
    throw new Error('bad schema')
  })
  const validate = build({}, {})({ schema: {} })
  t.throws(() => validate({}), { message: 'bad schema' })
  t.throws(() => validate({}), { message: 'bad schema' })
  t.end()
})

t.test('a route checks its query, converts it, and drops what its answer does not have', async t => {
  const app = fastify({ schemaController: { compilersFactory: lazyCompilers as object } })
  t.teardown(() => app.close())
  const querystring = { type: 'object', properties: { n: { type: 'integer', default: 5 } } }
  const response = { 200: { type: 'object', properties: { n: { type: 'integer' } } } }
  app.get('/', { schema: { querystring, response } }, async ({ query }) => ({
    ...(query as object),
    more: 1,
  }))
  t.equal((await app.inject('/?n=7')).body, '{"n":7}')
  t.equal((await app.inject('/')).body, '{"n":5}')
  const refused = await app.inject('/?n=x')
  t.equal(refused.statusCode, 400)
  t.match(refused.body, /n must be integer/)
})

t.test('the schema of every route compiles, though no start does it', async t => {
  const server = await testServer(t)
  const api = (await (await server.get('/v1/openapi.json')).json()) as {
    paths: Record<string, Record<string, { parameters?: { in: string; schema: object }[] }>>
  }
  const options = {
    customOptions: {
      keywords: [...OWN_KEYWORDS],
      formats: Object.fromEntries(OWN_FORMATS.map(name => [name, true])),
    },
  }
  const validators = lazyCompilers.buildValidator({}, options)
  let compiled = 0
  for (const methods of Object.values(api.paths)) {
    for (const { parameters = [] } of Object.values(methods)) {
      for (const { schema } of parameters) {
        validators({ schema: { type: 'object', properties: { it: schema } } })({})
        compiled += 1
      }
    }
  }
  t.ok(compiled > 20, `${compiled} parameters`)
  for (const kind of KINDS) t.doesNotThrow(() => validators({ schema: SCHEMAS[kind] })({}), kind)
})
