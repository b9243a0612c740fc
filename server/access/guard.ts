// At the door of the routes for people and programs: finds out who asks, and sends away who may not.

import { isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { NotAllowed, NotAuthenticated } from '../errors.ts'
import {
  identityOfCertificate,
  isLoopback,
  LOOPBACK,
  mayAct,
  NOBODY,
  type AccessRole,
  type CertificateRole,
  type Identity,
} from './identity.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; `nobody` on the boot routes, which never ask for it. */
    identity: Identity
  }
  interface FastifyContextConfig {
    /** The role that the route takes, where its method does not tell: GET and HEAD read, all others change something. */
    access?: AccessRole
  }
}

/** What the door needs to know. */
export type AccessPolicy = {
  readonly tokens: { identityOf(token: string): Identity | undefined }
  /** The listener is bound to loopback: whoever reaches it may do everything. */
  readonly loopbackOnly: boolean
  /** Reading takes a role, too. */
  readonly privateReads: boolean
  readonly certificateRole: CertificateRole
}

/** Gives every request of `app` an identity. To be called once, before any route. */
export function identify(app: FastifyInstance): void {
  app.decorateRequest('identity')
  app.addHook('onRequest', (request, _, next) => {
    request.identity = NOBODY
    next()
  })
}

/** Guards the routes of `app`, which is a part of an app that `identify` was called for. */
export function guard(app: FastifyInstance, policy: AccessPolicy): void {
  app.addHook('onRequest', (request, reply, next) => {
    try {
      const wanted = roleFor(request)
      const isOpen =
        wanted === 'read-only' && !policy.privateReads && request.routeOptions.config.access === undefined
      request.identity = whoAsks(request, policy, isOpen)
      if (!isOpen) requireRole(request.identity, wanted)
      next()
    } catch (error) {
      if (error instanceof NotAuthenticated) {
        void reply.header('www-authenticate', 'Bearer realm="Pilotlight", Basic realm="Pilotlight"')
      }
      next(error as Error) // thrown by the two above
    }
  })
}

/**
 * Sends away who has not got `role`.
 *
 * @throws {NotAuthenticated} 401, {NotAllowed} 403
 */
export function requireRole(identity: Identity, role: AccessRole): void {
  if (mayAct(identity, role)) return
  if (identity.by === 'nobody') throw new NotAuthenticated('This call takes a token or a client certificate.')
  throw new NotAllowed(identity.name, identity.role, role)
}

function roleFor({ method, routeOptions }: FastifyRequest): AccessRole {
  return routeOptions.config.access ?? (isReading(method) ? 'read-only' : 'admin')
}

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/**
 * A token weighs more than a certificate, and both more than the place that a request comes from.
 *
 * @throws {NotAuthenticated} 401, when a token is shown that is not good, where one is wanted
 */
function whoAsks(
  request: FastifyRequest,
  { tokens, loopbackOnly, certificateRole }: AccessPolicy,
  isOpen: boolean,
): Identity {
  const isLocal = loopbackOnly && isOwnPage(request)
  const token = tokenIn(request)
  if (token !== undefined) {
    const identity = tokens.identityOf(token)
    if (identity !== undefined) return identity
    // Where nobody needs a token, one of another server does no harm.
    if (!isLocal && !isOpen) throw new NotAuthenticated('This token is not known, or its time is over.')
  }
  const socket = request.raw.socket as Partial<TLSSocket> // plain on a listener without TLS
  if (socket.authorized === true) {
    const peer = socket.getPeerCertificate?.()
    if (peer?.subject !== undefined) return identityOfCertificate(peer, certificateRole)
  }
  return isLocal ? LOOPBACK : NOBODY
}

/** The token of a request. A browser can only ask its user for a name and a password: there it is the password. */
function tokenIn({ headers, method }: FastifyRequest): string | undefined {
  const [, scheme = '', text = ''] = /^(bearer|basic) +(\S+) *$/i.exec(headers.authorization ?? '') ?? []
  if (scheme.toLowerCase() === 'bearer') return text
  // Browsers send it with whatever any page makes them ask for: good enough to read, not to change anything.
  if (scheme.toLowerCase() !== 'basic' || !isReading(method)) return undefined
  return Buffer.from(text, 'base64').toString().split(':').slice(1).join(':')
}

/**
 * Says whether a request on loopback comes from a program or from our own page, rather than from somebody else's page in
 * a browser of this host: such a page names another origin, or has its own name point to us.
 */
function isOwnPage({ headers }: FastifyRequest): boolean {
  const { host = '', origin } = headers
  const name = host.replace(/:\d+$/, '').replaceAll(/^\[|\]$/g, '')
  const isOurs = name === 'localhost' || (isIP(name) !== 0 && isLoopback(name))
  return isOurs && (origin === undefined || origin === `http://${host}` || origin === `https://${host}`)
}
