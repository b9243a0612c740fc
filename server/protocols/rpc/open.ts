// gRPC as a part of the server. The library is loaded only where gRPC is on: that takes a tenth of a second.

import type { CertificateSource } from '../../access/certificates.ts'
import type { Endpoint } from '../../config.ts'
import type { Parts } from '../../process/parts.ts'
import type { RpcNeeds } from './listener.ts'

/** What gRPC needs of the service. */
export type RpcService = RpcNeeds & {
  readonly endpoint: Endpoint
  readonly certificate: CertificateSource
  /** Seconds that calls under way get to end when the server stops. */
  readonly stopSeconds: number
  /** Cuts off calls under way when the listener closes. */
  readonly signal: AbortSignal
}

/**
 * Serves gRPC until the parts are closed; returns its port.
 *
 * @throws {CannotListen} when the port cannot be had
 */
export async function serveRpc(service: RpcService, parts: Parts): Promise<number> {
  const { endpoint, certificate, stopSeconds, signal, ...needs } = service
  const { openRpc } = await import('./listener.ts')
  const rpc = await openRpc(endpoint, certificate, needs)
  parts.add('gRPC', { close: () => rpc.close(stopSeconds, signal) }, stopSeconds + 5)
  return rpc.port
}
