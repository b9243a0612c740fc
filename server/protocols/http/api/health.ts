// Signs of life, for what keeps the server running: `/healthz` says that it answers, `/readyz` that machines may boot.

import type { FastifyPluginCallback } from 'fastify'
import { pretty } from '../wire/replies.ts'

/** How far the server is. A broken file of the data directory changes nothing here: it is a problem, not a reason to leave. */
export type Readiness = {
  /** `starting` until everything is loaded and every port is open; `stopping` from the first signal of shutdown. */
  readonly state: 'starting' | 'ready' | 'stopping'
  /** Files that cannot be used. */
  readonly problems: number
  /** Why nothing can be kept: a full disk, a damaged store. */
  readonly trouble?: string | undefined
}

/** What these routes need of the service. */
export type HealthNeeds = { readonly readiness: () => Readiness }

/** `GET /healthz` and `GET /readyz`. */
export const healthRoutes: FastifyPluginCallback<HealthNeeds> = (app, { readiness }, done) => {
  app.get('/healthz', (_, reply) => pretty(reply, { status: 'ok' }))

  app.get('/readyz', (_, reply) => {
    const { state, problems, trouble } = readiness()
    if (state !== 'ready' || trouble !== undefined) void reply.code(503).header('retry-after', '1')
    const status = state === 'ready' && trouble !== undefined ? 'cannot write' : state
    return pretty(reply.header('cache-control', 'no-store'), {
      status,
      problems,
      ...(trouble && { trouble }),
    })
  })
  done()
}
