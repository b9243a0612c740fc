// The gRPC listener: HTTP/2 over TLS, with client certificates, as Matchbox's clients expect it.

import { once } from 'node:events'
import { createServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import {
  Server,
  ServerCredentials,
  status,
  type handleUnaryCall,
  type ServerUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { cleanLabel, cleanText, LIMITS } from '#model/clean.ts'
import type { CertificateSource, TlsMaterial } from '../../access/certificates.ts'
import { requireRole } from '../../access/guard.ts'
import { identityOfCertificate, NOBODY, type CertificateRole, type Identity } from '../../access/roles.ts'
import type { ClientLimits, Endpoint } from '../../config.ts'
import { CannotListen } from '../../errors.ts'
import { causesOf } from '../../log.ts'
import { matchboxCalls, type Call, type CallNeeds } from './calls.ts'
import { failureOf } from './failure.ts'

/** What the listener needs of the service. */
export type RpcNeeds = CallNeeds & {
  readonly certificateRole: CertificateRole
  readonly limits: ClientLimits
  readonly metrics: { call(method: string, code: string): void }
  /** Limits the connections of a server: those of all listeners of this process together. */
  readonly watch: (server: TcpServer, options: { readonly isTls: boolean }) => void
}

/** A listener that takes calls. */
export type RpcListener = {
  readonly port: number
  /** Takes no more calls, and lets those under way end for `seconds`; when `now` is aborted, they are cut off. */
  readonly close: (seconds: number, now: AbortSignal) => Promise<void>
}

/** Bytes that a message may have; the same as in Matchbox. */
const MESSAGE_BYTES = 4 << 20

const SETTINGS = {
  'grpc.max_receive_message_length': MESSAGE_BYTES,
  'grpc.max_concurrent_streams': 256,
  // A peer that vanished is noticed, and a connection that is idle for long is closed.
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.max_connection_idle_ms': 1_800_000,
} as const

/**
 * Opens the listener.
 *
 * @throws {CannotListen} when the port cannot be had
 */
export async function openRpc(
  { host, port }: Endpoint,
  certificate: CertificateSource,
  needs: RpcNeeds,
): Promise<RpcListener> {
  const server = new Server(SETTINGS)
  const services = loadSync('rpc.proto', {
    includeDirs: [fileURLToPath(new URL('proto', import.meta.url))],
    keepCase: true,
    defaults: true,
  })
  for (const [service, calls] of Object.entries(matchboxCalls(needs))) {
    const handlers = Object.entries(calls).map(([method, call]) => [
      method,
      handler(`${service}/${method}`, call, needs),
    ])
    // The proto file has the services and methods that the calls are named by.
    server.addService(services[`rpcpb.${service}`] as ServiceDefinition, Object.fromEntries(handlers))
  }
  const credentials = new RenewedCredentials(certificate, needs.limits)
  // The library gives no access to its listener, and connections have to be counted before their handshake.
  const listener = createServer({ noDelay: true })
  needs.watch(listener, { isTls: true })
  const sockets = new Set<Socket>()
  const injector = server.createConnectionInjector(credentials)
  listener.on('connection', (socket: Socket) => {
    if (socket.destroyed) return
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    injector.injectConnection(socket)
  })
  try {
    listener.listen({ host, port })
    await once(listener, 'listening')
  } catch (error) {
    server.forceShutdown()
    throw new CannotListen('rpc', host, port, error as NodeJS.ErrnoException) // node:net throws no other
  }
  return {
    port: (listener.address() as AddressInfo).port, // it listens on TCP
    close: async (seconds, now) => {
      listener.close()
      await closeServer(server, seconds, now)
      for (const socket of sockets) socket.destroy() // those without a session
    },
  }
}

/** Answers one call, whatever is in it. */
function handler(name: string, call: Call, needs: RpcNeeds): handleUnaryCall<never, object> {
  return (given, reply) => {
    const began = performance.now()
    const by = whoCalls(given, needs.certificateRole)
    void answer().then(
      message => finish(status.OK, () => reply(null, message)),
      (error: unknown) => {
        const { code, message, cause } = failureOf(error)
        if (code === status.INTERNAL) needs.log('error', causesOf(cause), { call: name })
        finish(code, () => reply({ code, details: message }), message)
      },
    )

    async function answer(): Promise<object> {
      requireRole(by, call.role)
      const from = given.getPeer().replace(/:\d+$/, '')
      return await call.answer(given.request, { ...by, from })
    }

    function finish(code: status, send: () => void, reason?: string): void {
      const word = status[code]
      needs.metrics.call(name, word)
      needs.log('info', `rpc ${name}`, {
        client: given.getPeer(),
        who: by.name,
        id: cleanLabel(call.about(given.request)) || undefined,
        code: word,
        reason: reason === undefined ? undefined : cleanText(reason, LIMITS.requestTarget),
        ms: Math.round((performance.now() - began) * 100) / 100,
      })
      send()
    }
  }
}

function whoCalls(call: ServerUnaryCall<never, object>, otherwise: CertificateRole): Identity {
  const peer = call.getAuthContext().sslPeerCertificate
  return peer?.subject === undefined ? NOBODY : identityOfCertificate(peer, otherwise)
}

/** Credentials that follow their certificate: connections made after a change see the new one. */
class RenewedCredentials extends ServerCredentials {
  constructor(certificate: CertificateSource, { headersMs }: ClientLimits) {
    const asking = {
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      handshakeTimeout: headersMs,
    } as const
    super(asking, contextOf(certificate.material))
    certificate.onChange(material => this.updateSecureContextOptions(contextOf(material)))
  }

  _equals(other: ServerCredentials): boolean {
    return this === other
  }
}

function contextOf({ cert, key, ca }: TlsMaterial) {
  return { cert, key, ...(ca === undefined ? {} : { ca }) }
}

async function closeServer(server: Server, seconds: number, now: AbortSignal): Promise<void> {
  const cut = () => server.forceShutdown()
  if (now.aborted) return cut()
  const limit = setTimeout(cut, seconds * 1000)
  now.addEventListener('abort', cut)
  await new Promise<void>(resolve => server.tryShutdown(() => resolve()))
  clearTimeout(limit)
  now.removeEventListener('abort', cut)
}
