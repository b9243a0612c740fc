// The HTTP servers: one for boot, one for people and programs (the same one, unless it has an address of its own), and
// one for the machines' agents.

import { METHODS } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import { cleanText, LIMITS } from '#model/clean.ts'
import { OWN_FORMATS, OWN_KEYWORDS } from '#model/schema.ts'
import type { CertificateSource, TlsMaterial } from '../../access/certificates.ts'
import { guard, identify, type AccessPolicy } from '../../access/guard.ts'
import type { ClientLimits } from '../../config.ts'
import { escapeHtml } from '../../formats/gotemplate/escape.ts'
import { MethodNotAllowed } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { adminRoutes, type AdminNeeds } from './api/admin.ts'
import { agentRoutes, type AgentNeeds } from './agent/agent.ts'
import type { Admission } from './wire/admission.ts'
import { assetRoutes, type AssetNeeds } from './boot/assets.ts'
import { bootRoutes, type BootNeeds } from './boot/boot.ts'
import type { Connections } from './wire/connections.ts'
import { eventRoutes, type EventNeeds } from './api/events.ts'
import { explainRoutes, type ExplainNeeds } from './api/explain.ts'
import { healthRoutes, type HealthNeeds } from './api/health.ts'
import { noteMethods } from './wire/methods.ts'
import { machineKeyRoutes, type MachineKeyNeeds } from './api/machine-keys.ts'
import { metricsRoutes, type MetricsNeeds } from './api/metrics.ts'
import { pageRoutes } from './api/page.ts'
import { plain, plainAnswer, problemAnswer } from './wire/problems.ts'
import { answerRefused, noteBody } from './wire/raw-targets.ts'
import { readRoutes, type ReadNeeds } from './api/read.ts'
import { tellRequests, type Teller } from './wire/requests.ts'
import { hasBody, limitBodies } from './wire/slow-bodies.ts'
import { originForm, plainPlace } from './wire/targets.ts'
import { tokenRoutes, type TokenNeeds } from './api/tokens.ts'
import type { InventoryNeeds } from './api/answers.ts'
import { assetStoreRoutes, type AssetStoreNeeds } from './api/assets.ts'
import { describeRoutes } from './api/openapi.ts'
import { inventoryRoutes } from './api/v1.ts'

/** What all apps need. */
export type AppNeeds = {
  readonly log: Log
  readonly limits: ClientLimits
  readonly teller: Teller
  readonly admission: Admission
}

/** What all routes together need of the service. */
export type HttpNeeds = AppNeeds & BootNeeds & AssetNeeds & HealthNeeds & PeopleNeeds

/** What the routes for people and programs need. */
export type PeopleNeeds = ReadNeeds &
  AdminNeeds &
  InventoryNeeds &
  AssetStoreNeeds &
  EventNeeds &
  ExplainNeeds &
  MetricsNeeds &
  MachineKeyNeeds &
  TokenNeeds

/** The boot side, and with a `policy` everything for people and programs on the same listener. */
export async function bootApp(
  needs: HttpNeeds,
  {
    tls,
    policy,
  }: { readonly tls?: CertificateSource | undefined; readonly policy?: AccessPolicy | undefined } = {},
): Promise<FastifyInstance> {
  const app = newApp(needs, tls)
  for (const method of METHODS) {
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method)
  }
  app.addHook('onRequest', (request, reply, next) => {
    const target = request.raw.url ?? '/'
    if (target === '*') return void reply.send()
    const place = plainPlace(target, needs.assetsPath === undefined ? [] : ['/assets'])
    return place === undefined ? next() : void sendTo(request, reply, place)
  })
  answerErrors(app, needs.log)
  await app.register(healthRoutes, needs)
  await app.register(bootRoutes, needs)
  await app.register(assetRoutes, needs)
  if (policy !== undefined) await app.register(peopleRoutes, { ...needs, policy })
  return app
}

/** Everything for people and programs, on a listener of its own, with the assets, of which `up` takes the guest. */
export async function adminApp(
  needs: AppNeeds & HealthNeeds & AssetNeeds & PeopleNeeds,
  { tls, policy }: { readonly tls: CertificateSource; readonly policy: AccessPolicy },
): Promise<FastifyInstance> {
  const app = newApp(needs, tls)
  answerErrors(app, needs.log)
  await app.register(healthRoutes, needs)
  await app.register(assetRoutes, needs)
  await app.register(peopleRoutes, { ...needs, policy })
  return app
}

/** The agents' side: HTTPS with our own certificate. */
export async function agentApp(
  needs: AppNeeds & AgentNeeds,
  tls: CertificateSource,
): Promise<FastifyInstance> {
  const app = newApp(needs, tls)
  answerErrors(app, needs.log)
  await app.register(agentRoutes, needs)
  return app
}

/** Lists, journals, administration and the page: all that asks who is there. */
async function peopleRoutes(
  app: FastifyInstance,
  needs: PeopleNeeds & Pick<AppNeeds, 'admission'> & { readonly policy: AccessPolicy },
): Promise<void> {
  guard(app, needs.policy)
  needs.admission.reads.limit(app)
  app.setErrorHandler(problemAnswer(needs.log))
  await describeRoutes(app)
  await app.register(readRoutes, needs)
  await app.register(inventoryRoutes, needs)
  await app.register(assetStoreRoutes, needs)
  await app.register(adminRoutes, needs)
  await app.register(machineKeyRoutes, needs)
  await app.register(eventRoutes, needs)
  await app.register(explainRoutes, needs)
  await app.register(metricsRoutes, needs)
  await app.register(tokenRoutes, needs)
  await app.register(pageRoutes)
}

/** An app without routes: how it takes connections, and what it tells of requests. */
function newApp(
  { limits, teller, admission }: AppNeeds,
  tls: CertificateSource | undefined,
): FastifyInstance {
  const shared: FastifyServerOptions = {
    // Nobody types these URLs; they come from firmware, whose methods and paths are taken as Matchbox takes them.
    routerOptions: { ignoreTrailingSlash: false, caseSensitive: true, maxParamLength: 4096 },
    rewriteUrl: ({ url = '/' }) => originForm(url),
    frameworkErrors: (error, _, broken) => {
      const reply = broken as FastifyReply // its type knows of no route, and so of no answer
      void reply.code(error.statusCode ?? 400).header('connection', 'close')
      void reply.type('text/plain; charset=utf-8').send(BAD_REQUEST_TEXT)
    },
    clientErrorHandler: answerRefused(() => app.server),
    forceCloseConnections: 'idle',
    requestTimeout: 0, // limitBodies tells routes apart
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
  identify(app)
  limitBodies(app, limits.requestMs)
  tellRequests(app, teller)
  return app
}

/** Client certificates are asked for, and looked at by the guard: who has a token needs none. */
function tlsOptions({ cert, key, ca }: TlsMaterial) {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: false }),
  } as const
}

/** Says what is wrong with a request: to programs, below /v1 and on the agents' side, as a problem; to all others in plain text. */
function answerErrors(app: FastifyInstance, log: Log): void {
  const methodsAt = noteMethods(app)
  app.setErrorHandler(plainAnswer(log))
  // What no route takes is answered before its body is read, which is for routes alone to want.
  app.addHook('onRequest', (request, reply, next) => {
    if (!request.is404 || !hasBody(request)) return next()
    void reply.header('connection', 'close')
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
    void reply.header('x-content-type-options', 'nosniff')
    if (!isForPrograms) return plain(reply.code(404), '404 page not found\n')
    const what = `There is no ${method} ${cleanText(url, LIMITS.requestTarget)}. docs/api.md tells of all, and of those below /v1 GET /v1/openapi.json.`
    return answer(Object.assign(new Error(what), { statusCode: 404 }), request, reply)
  }
}

const BAD_REQUEST_TEXT = '400 Bad Request'

/** Sends a client to the plain way of writing what it asked for; the method stays. */
function sendTo(request: FastifyRequest, reply: FastifyReply, place: string): FastifyReply {
  void reply.code(307).header('location', place)
  if (request.method !== 'GET' && request.method !== 'HEAD') return reply.send()
  return reply
    .type('text/html; charset=utf-8')
    .send(`<a href="${escapeHtml(place)}">Temporary Redirect</a>.\n\n`)
}

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
