import fastify from 'fastify'
import t from 'tap'
import { healthRoutes, type Readiness } from '#server/protocols/http/api/health.ts'

t.test('ready is who has loaded everything and is not about to go', async t => {
  let readiness: Readiness = { state: 'starting', problems: 0 }
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(healthRoutes, { readiness: () => readiness })
  const statusOf = async (url: string) => (await app.inject(url)).statusCode
  for (const [state, status] of [
    ['starting', 503],
    ['ready', 200],
    ['stopping', 503],
  ] as const) {
    readiness = { state, problems: 3 }
    t.equal(await statusOf('/readyz'), status, state)
    t.equal(await statusOf('/healthz'), 200, `${state}, and alive`)
  }
})
