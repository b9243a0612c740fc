// Before the routes for people and programs: finds out who asks, and refuses who may not.

import { hostname } from 'node:os'
import type { TLSSocket } from 'node:tls'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ForeignHost, NotAllowed, NotAuthenticated } from './errors.ts'
import { foreignHost, isForwarded, isFromHere } from './hosts.ts'
import {
  identityOfCertificate,
  LOOPBACK,
  mayAct,
  NOBODY,
  THIS_HOST,
  type Access,
  type CertificateRole,
  type Identity,
} from './roles.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; `nobody` on the boot routes, where it is never needed. */
    identity: Identity
  }
  interface FastifyContextConfig {
    /** The role that the route requires, where it differs from its method's: `read-only` for GET and HEAD, `admin` for all others. */
    access?: Access
  }
}

/** What the guard of a listener needs to know. */
export type AccessPolicy = {
  readonly tokens: { identityOf(token: string): Identity | undefined }
  /** The listener is bound to loopback: a client on this host may change objects. */
  readonly loopbackOnly: boolean
  /** The names, and addresses besides the one that is asked, by which requests may call us; undefined takes any. */
  readonly hostNames: readonly string[] | undefined
  /** Who reads without a role; where it is no one, this host has no rights for its place at all. */
  readonly openReads: 'anyone' | 'this-host' | 'no-one'
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
      refuseForeignHost(request, policy)
      const access = accessTo(request, policy)
      request.identity = whoAsks(request, policy, access)
      requireRole(request.identity, access)
      next()
    } catch (error) {
      if (error instanceof NotAuthenticated) void reply.header('www-authenticate', challengeFor(request))
      next(error as Error) // thrown by those above
    }
  })
}

/**
 * Sends away who has not got `access`.
 *
 * @throws {NotAuthenticated} 401, {NotAllowed} 403
 */
export function requireRole(identity: Identity, access: Access): void {
  if (mayAct(identity, access)) return
  const { by, name, role } = identity
  if (by === 'token' || by === 'certificate') {
    // No token or certificate can have the role objects: the next one that it can have is admin.
    throw new NotAllowed(name, role, access === 'objects' ? 'admin' : access)
  }
  const what =
    access === 'admin' ? 'a token or a client certificate of role admin' : 'a token or a client certificate'
  throw new NotAuthenticated(`This call takes ${what}${by === 'place' ? ', from this host too' : ''}.`)
}

/** @throws {ForeignHost} 421, when the request asks for a host that we are not */
function refuseForeignHost({ raw, originalUrl }: FastifyRequest, { hostNames }: AccessPolicy): void {
  if (hostNames === undefined) return
  const { headersDistinct, socket } = raw
  const foreign = foreignHost({ headersDistinct, socket, target: originalUrl }, [...hostNames, hostname()])
  if (foreign !== undefined) throw new ForeignHost(foreign.host)
}

function accessTo({ method, routeOptions }: FastifyRequest, { openReads }: AccessPolicy): Access {
  const { access } = routeOptions.config
  if (access !== undefined) return access
  if (!isReading(method)) return 'admin'
  return openReads === 'anyone' ? 'open' : 'read-only'
}

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** A browser asks its user for a name and a password only where a person opened the address, never for a page's script. */
function challengeFor({ headers, method }: FastifyRequest): string {
  const isPerson = isReading(method) && headers.accept?.includes('text/html') === true
  return `Bearer realm="Pilotlight"${isPerson ? ', Basic realm="Pilotlight"' : ''}`
}

/**
 * A token weighs more than a certificate, and both more than the place that a request comes from.
 *
 * @throws {NotAuthenticated} 401, when a token is shown that is not valid, where one is required
 */
function whoAsks(request: FastifyRequest, policy: AccessPolicy, access: Access): Identity {
  const place = placeOf(request, policy)
  const token = tokenIn(request)
  if (token !== undefined) {
    const identity = policy.tokens.identityOf(token)
    if (identity !== undefined) return identity
    // Where none is needed, one of another server does no harm.
    if (!mayAct(place, access)) {
      throw new NotAuthenticated('This token is not known, or its time is over.')
    }
  }
  const socket = request.raw.socket as Partial<TLSSocket> // plain on a listener without TLS
  if (socket.authorized === true) {
    const peer = socket.getPeerCertificate?.()
    if (peer?.subject !== undefined) return identityOfCertificate(peer, policy.certificateRole)
  }
  return place
}

/** The token of a request. A browser can only ask its user for a name and a password: there it is the password. */
function tokenIn({ headers, method }: FastifyRequest): string | undefined {
  const [, scheme = '', text = ''] = /^(bearer|basic) +(\S+) *$/i.exec(headers.authorization ?? '') ?? []
  if (scheme.toLowerCase() === 'bearer') return text
  // Browsers send it with whatever any page makes them ask for: good enough to read, not to change anything.
  if (scheme.toLowerCase() !== 'basic' || !isReading(method)) return undefined
  return Buffer.from(text, 'base64').toString().split(':').slice(1).join(':')
}

/** What a request may do because it comes from this host, unless a proxy or another site's page sent it. */
function placeOf({ headers, raw }: FastifyRequest, { loopbackOnly, openReads }: AccessPolicy): Identity {
  if (openReads === 'no-one' || isForwarded(headers) || !isOwnPage(headers)) return NOBODY
  if (loopbackOnly) return LOOPBACK
  return isFromHere(raw.socket) ? THIS_HOST : NOBODY
}

/** Says whether a request comes from a program or from our own page; a page of someone else names another origin. */
function isOwnPage({ host = '', origin }: FastifyRequest['headers']): boolean {
  return origin === undefined || origin === `http://${host}` || origin === `https://${host}`
}
