// How long a client may take to send the body of a request. Node has one limit for all requests of a server, which an
// upload of any size would break.

import type { FastifyInstance, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body may be of any size: only the connection of a client that stops sending is closed. */
    longBody?: boolean
  }
}

/** Ends requests whose bodies are not there `milliseconds` after their headers, but for routes with `longBody`. */
export function limitBodies(app: FastifyInstance, milliseconds: number): void {
  app.addHook('onRequest', (request, _, next) => {
    const { raw, routeOptions } = request
    if (hasBody(request) && routeOptions.config?.longBody !== true) {
      const timer = setTimeout(() => {
        // The error that Node itself gives for such a request, so that the answer is the same.
        const error = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
        if (!raw.complete) app.server.emit('clientError', error, raw.socket)
      }, milliseconds).unref() // a body that is refused does not close, and would hold up the process
      raw.once('close', () => clearTimeout(timer))
    }
    next()
  })
}

/** Says whether the headers of a request announce a body. */
export function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
