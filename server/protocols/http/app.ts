// The HTTP servers: one for boot, one for people and programs (the same one, unless it has another address), and
// one for the machines' agents.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { CertificateSource } from '../../access/certificates.ts'
import type { AccessPolicy } from '../../access/guard.ts'
import { escapeHtml } from '../../formats/gotemplate/escape.ts'
import { agentRoutes, type AgentNeeds } from './agent/routes.ts'
import { healthRoutes, type HealthNeeds } from './api/health.ts'
import { apiRoutes, type ApiNeeds } from './api/routes.ts'
import { assetRoutes, type AssetNeeds } from './boot/assets.ts'
import { bootRoutes, type BootNeeds } from './boot/routes.ts'
import { targetOf } from './wire/raw-targets.ts'
import { plain } from './wire/replies.ts'
import { answerErrors, BAD_REQUEST_TEXT, newApp, type WireNeeds } from './wire/server.ts'
import { hexEscaped, plainPlace } from './wire/targets.ts'

/** What the parts of HTTP need of the service, each what it declares itself. */
export type HttpNeeds = {
  /** Taking connections and requests. */
  readonly wire: WireNeeds
  /** Signs of life, on the boot listener and on that of administration. */
  readonly health: HealthNeeds
  /** What machines ask on their way from firmware to operating system. */
  readonly boot: BootNeeds
  /** The files that they fetch. */
  readonly assets: AssetNeeds
  /** People and programs. */
  readonly api: ApiNeeds
  /** The agents on the machines. */
  readonly agent: AgentNeeds
}

/** The boot side, and with a `policy` everything for people and programs on the same listener. */
export async function bootApp(
  { wire, health, boot, assets, api }: Omit<HttpNeeds, 'agent'>,
  {
    tls,
    policy,
  }: { readonly tls?: CertificateSource | undefined; readonly policy?: AccessPolicy | undefined } = {},
): Promise<FastifyInstance> {
  const app = newApp(wire, tls)
  for (const method of process.getBuiltinModule('node:http').METHODS) {
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method)
  }
  app.addHook('onRequest', (request, reply, next) => {
    const target = request.raw.url ?? '/'
    // Of the server as a whole only OPTIONS can be asked (RFC 9110 §7.1).
    if (target === '*') return void reply.code(request.method === 'OPTIONS' ? 200 : 400).send()
    if (target.startsWith('*'))
      return void plain(reply.code(400).header('connection', 'close'), BAD_REQUEST_TEXT)
    // Fastify wants a type of a QUERY's body, and Matchbox reads none.
    if (request.method === 'QUERY') request.headers['content-type'] ??= 'application/octet-stream'
    const place = plainPlace(target, assets.assetsPath === undefined ? [] : ['/assets'])
    return place === undefined ? next() : void sendTo(request, reply, place)
  })
  answerErrors(app, wire.log)
  await app.register(healthRoutes, health)
  await app.register(bootRoutes, boot)
  await app.register(assetRoutes, assets)
  if (policy !== undefined) await app.register(apiRoutes, { ...api, reads: wire.admission.reads, policy })
  return app
}

/** Everything for people and programs, on a separate listener, with the assets, of which `up` takes the guest. */
export async function adminApp(
  { wire, health, assets, api }: Omit<HttpNeeds, 'boot' | 'agent'>,
  { tls, policy }: { readonly tls: CertificateSource; readonly policy: AccessPolicy },
): Promise<FastifyInstance> {
  const app = newApp(wire, tls)
  answerErrors(app, wire.log)
  await app.register(healthRoutes, health)
  await app.register(assetRoutes, assets)
  await app.register(apiRoutes, { ...api, reads: wire.admission.reads, policy })
  return app
}

/** The agents' side: HTTPS with our own certificate. */
export async function agentApp(
  { wire, agent }: Pick<HttpNeeds, 'wire' | 'agent'>,
  tls: CertificateSource,
): Promise<FastifyInstance> {
  const app = newApp(wire, tls)
  answerErrors(app, wire.log)
  await app.register(agentRoutes, agent)
  return app
}

/** Sends a client to the plain way of writing what it asked for; the method stays. */
function sendTo(request: FastifyRequest, reply: FastifyReply, place: string): FastifyReply {
  // The query has the bytes that were received, where these are not ASCII: escaped in the header, as they are in the page.
  const [path = ''] = place.split('?', 1)
  const [, query = ''] = /^[^?]*\?(.*)$/s.exec(targetOf(request.raw)) ?? []
  const at = (text: string) => (text === '' ? path : `${path}?${text}`)
  void reply.code(307).header('location', at(hexEscaped(query)))
  if (request.method !== 'GET' && request.method !== 'HEAD') return reply.send()
  void reply.type('text/html; charset=utf-8')
  if (request.method === 'HEAD') return reply.send()
  const page = `<a href="${escapeHtml(at(query))}">Temporary Redirect</a>.\n\n`
  return reply.send(Buffer.from(page, 'latin1'))
}
