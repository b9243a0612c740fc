// A server of HTTP without its routes: how it takes connections and requests, and what it answers where no route does.

import type { Server as HttpsServer } from 'node:https'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import { cleanText, LIMITS } from '#model/clean.ts'
import { OWN_FORMATS, OWN_KEYWORDS } from '#model/schema.ts'
import type { CertificateSource, TlsMaterial } from '../../../access/certificates.ts'
import { identify } from '../../../access/guard.ts'
import type { ClientLimits } from '../../../config.ts'
import { MethodNotAllowed } from '../../../errors.ts'
import type { Log } from '../../../log.ts'
import type { Admission } from './admission.ts'
import type { Connections } from './connections.ts'
import { lazyCompilers } from './lazy-schemas.ts'
import { noteMethods } from './methods.ts'
import { plain } from './replies.ts'
import { plainAnswer, problemAnswer } from './problems.ts'
import { answerRefused, noteBody } from './raw-targets.ts'
import { logRequests, type RequestLog } from './requests.ts'
import { hasBody, limitBodies } from './slow-bodies.ts'
import { originForm } from './targets.ts'

/** What every app needs, whatever its routes are. */
export type WireNeeds = {
  readonly log: Log
  readonly limits: ClientLimits
  readonly requests: RequestLog
  readonly admission: Admission
}

/** An app without routes: how it takes connections, and how it reports requests. */
export function newApp(
  { limits, requests, admission }: WireNeeds,
  tls: CertificateSource | undefined,
): FastifyInstance {
  const shared: FastifyServerOptions = {
    // No one types these URLs; they come from firmware, whose methods and paths are taken as Matchbox takes them.
    routerOptions: { ignoreTrailingSlash: false, caseSensitive: true, maxParamLength: 4096 },
    rewriteUrl: ({ url = '/' }) => originForm(url),
    frameworkErrors: (error, request, broken) => {
      const reply = broken as FastifyReply // its type knows of no route, and so of no answer
      if (hasBody(request)) void reply.header('connection', 'close') // the hooks that limit bodies do not see it
      if (isWellEscaped(request.url)) {
        void plainNotFound(reply) // its bytes are not UTF-8: no route has such a path
        return
      }
      void reply.code(error.statusCode ?? 400).header('connection', 'close')
      void reply.type('text/plain; charset=utf-8').send(BAD_REQUEST_TEXT)
    },
    clientErrorHandler: answerRefused(() => app.server),
    forceCloseConnections: 'idle',
    requestTimeout: 0, // limitBodies has limits by route
    schemaController: { compilersFactory: lazyCompilers as LazyFactory },
    ajv: {
      customOptions: {
        keywords: [...OWN_KEYWORDS],
        formats: Object.fromEntries(OWN_FORMATS.map(format => [format, true])), // object-check.ts reads them
      },
    },
    keepAliveTimeout: limits.keepAliveMs,
    connectionTimeout: limits.idleMs,
  }
  const patience = { headersTimeout: limits.headersMs, connectionsCheckingInterval: limits.checkMs }
  const app: FastifyInstance =
    tls === undefined
      ? fastify({ ...shared, http: patience })
      : // Fastify takes an app on HTTPS for another type; its routes are the same.
        (fastify({
          ...shared,
          https: { ...patience, handshakeTimeout: limits.headersMs, ...tlsOptions(tls.material) },
        } as object) as FastifyInstance)
  tls?.onChange(material => (app.server as HttpsServer).setSecureContext(tlsOptions(material)))
  admission.connections.watch(app.server, { isTls: tls !== undefined })
  admission.turns.arrange(app.server)
  app.server.on('request', noteBody) // at once, whenever its turn is
  app.addHook('onRequest', dropGone)
  app.addHook('onRequest', refuseCoding)
  identify(app)
  limitBodies(app, limits.requestMs)
  logRequests(app, requests)
  return app
}

/**
 * Drops a request whose client is gone: a connection that was reset has no address any more, and routes, limits and the log go by it.
 * Once it was read, a socket keeps it.
 */
function dropGone({ raw }: FastifyRequest, _: FastifyReply, next: () => void): void {
  if (raw.socket.remoteAddress === undefined) raw.destroy()
  else next()
}

/**
 * Refuses a body that is sent in any way but as it is or in chunks (RFC 9112 §6.1), with the text of Go's server. Node gives
 * the head of such a request, and then an error, which `answerRefused` ignores.
 */
function refuseCoding({ headers }: FastifyRequest, reply: FastifyReply, next: () => void): void {
  const { 'transfer-encoding': coding = 'chunked' } = headers
  if (coding.toLowerCase() === 'chunked') return next()
  void plain(reply.code(501).header('connection', 'close'), 'Unsupported transfer encoding')
}

/** Fastify's types for it name more of a schema than any compiler here looks at. */
type LazyFactory = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>

/** Client certificates are requested but not required, since a token serves as well; the guard checks them. */
function tlsOptions({ cert, key, ca }: TlsMaterial) {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: false }),
  } as const
}

/**
 * Has an app say what is wrong with a request: to programs, below /v1 and on the agents' side, as a problem; to all others in
 * plain text. Called after the hooks that answer a request themselves, and before the routes.
 */
export function answerErrors(app: FastifyInstance, log: Log): void {
  const methodsAt = noteMethods(app)
  app.setErrorHandler(plainAnswer(log))
  // What no route takes is answered before its body is read, which is for routes alone to want.
  app.addHook('onRequest', (request, reply, next) => {
    if (!request.is404) return next()
    if (hasBody(request)) void reply.header('connection', 'close')
    void answerMissing(request, reply)
  })
  app.setNotFoundHandler(answerMissing)

  function answerMissing(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { method, url } = request
    const [path = ''] = url.split('?', 1)
    const isForPrograms = /^\/(?:agent\/)?v1\//.test(path)
    const answer = isForPrograms ? problemAnswer(log) : plainAnswer(log)
    const allowed = methodsAt(path)
    if (allowed.length > 0) {
      void reply.header('allow', allowed.join(', '))
      return answer(new MethodNotAllowed(method, path, allowed), request, reply)
    }
    if (!isForPrograms) return plainNotFound(reply)
    void reply.header('x-content-type-options', 'nosniff')
    const what = `There is no ${method} ${cleanText(url, LIMITS.requestTarget)}. docs/api.md lists all routes, and GET /v1/openapi.json those below /v1.`
    return answer(Object.assign(new Error(what), { statusCode: 404 }), request, reply)
  }
}

function plainNotFound(reply: FastifyReply): FastifyReply {
  return plain(reply.code(404).header('x-content-type-options', 'nosniff'), '404 page not found\n')
}

/** Says whether each `%` of a path begins an escape. */
function isWellEscaped(target: string): boolean {
  return !/^[^?]*%(?![0-9a-f]{2})/i.test(target)
}

/** What Go's server answers to a request that cannot be read. */
export const BAD_REQUEST_TEXT = '400 Bad Request'

/**
 * Closes an app: takes no new connections, lets answers under way come to their end for `seconds`, then cuts off what is
 * left. Aborting `now` cuts them off at once.
 */
export async function closeApp(
  app: FastifyInstance,
  connections: Connections,
  seconds: number,
  now: AbortSignal,
): Promise<void> {
  const cut = () => app.server.closeAllConnections()
  const limit = setTimeout(cut, seconds * 1000)
  now.addEventListener('abort', cut)
  try {
    const closed = app.close()
    connections.close()
    if (now.aborted) cut()
    await closed
  } finally {
    clearTimeout(limit)
    now.removeEventListener('abort', cut)
  }
}
