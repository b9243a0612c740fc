// The two HTTP servers: one for boot, people and administration, one with TLS for the machines' agents.

import { METHODS } from 'node:http'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { ServerIdentity } from '../agent/authority.ts'
import { escapeHtml } from '../gotemplate/escape.ts'
import { adminRoutes, type AdminNeeds } from './admin.ts'
import { agentRoutes, type AgentNeeds } from './agent.ts'
import { assetRoutes, type AssetNeeds } from './assets.ts'
import { bootRoutes, type BootNeeds } from './boot.ts'
import { eventRoutes, type EventNeeds } from './events.ts'
import { pageRoutes } from './page.ts'
import { plain, plainAnswer, problemAnswer } from './problems.ts'
import { readRoutes, type ReadNeeds } from './read.ts'
import { originForm, plainPlace } from './targets.ts'

/** What all routes together need of the service. */
export type HttpNeeds = BootNeeds & AssetNeeds & ReadNeeds & AdminNeeds & EventNeeds

/** The boot side: plain HTTP. */
export async function httpApp(needs: HttpNeeds): Promise<FastifyInstance> {
  const app = fastify({
    // Nobody types these URLs; they come from firmware, whose methods and paths are taken as Matchbox takes them.
    routerOptions: { ignoreTrailingSlash: false, caseSensitive: true, maxParamLength: 4096 },
    rewriteUrl: ({ url = '/' }) => originForm(url),
    frameworkErrors: (error, _, broken) => {
      const reply = broken as FastifyReply // its type knows of no route, and so of no answer
      void reply.code(error.statusCode ?? 400).header('connection', 'close')
      void reply.type('text/plain; charset=utf-8').send(BAD_REQUEST_TEXT)
    },
    forceCloseConnections: true,
    requestTimeout: 30_000,
    keepAliveTimeout: 75_000,
  })
  for (const method of METHODS) {
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method)
  }
  app.addHook('onRequest', (request, reply, next) => {
    const target = request.raw.url ?? '/'
    if (target === '*') return void reply.send()
    const place = plainPlace(target, needs.assetsPath === undefined ? [] : ['/assets'])
    return place === undefined ? next() : void sendTo(request, reply, place)
  })
  app.setErrorHandler(plainAnswer(needs.log))
  app.setNotFoundHandler((request, reply) => {
    void reply.header('x-content-type-options', 'nosniff')
    if (!request.url.startsWith('/v1/')) return plain(reply.code(404), '404 page not found\n')
    const error = Object.assign(new Error(`There is no ${request.method} ${request.url}.`), {
      statusCode: 404,
    })
    return problemAnswer(needs.log)(error, request, reply)
  })
  await app.register(bootRoutes, needs)
  await app.register(assetRoutes, needs)
  await app.register(readRoutes, needs)
  await app.register(adminRoutes, needs)
  await app.register(eventRoutes, needs)
  await app.register(pageRoutes)
  return app
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

/** The agents' side: HTTPS with our own certificate. */
export async function agentApp(
  needs: AgentNeeds,
  { certificate, key }: ServerIdentity,
): Promise<FastifyInstance> {
  const app = fastify({
    https: { cert: certificate, key, minVersion: 'TLSv1.2' },
    forceCloseConnections: true,
    requestTimeout: 30_000,
  })
  app.setErrorHandler(problemAnswer(needs.log))
  await app.register(agentRoutes, needs)
  return app
}
