// `GET /metrics`: the figures of the server, as Prometheus reads them.

import type { FastifyPluginCallback } from 'fastify'

/** What this route needs of the service. */
export type MetricsNeeds = {
  readonly metrics: {
    /** The MIME type of `text`. */
    readonly contentType: string
    text(): Promise<string>
  }
}

/** Adds `GET /metrics`. */
export const metricsRoutes: FastifyPluginCallback<MetricsNeeds> = (app, { metrics }, done) => {
  app.get('/metrics', async (_, reply) => reply.type(metrics.contentType).send(await metrics.text()))
  done()
}
