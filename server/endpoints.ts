// Where machines reach the server, as templates see it.

import { isIPv6 } from 'node:net'
import type { Endpoints } from './boot/render/context.ts'
import type { ServerConfig } from './config.ts'
import { isEveryAddress, ownAddresses } from './process/own-addresses.ts'

/** The ports that the listeners got. */
export type Ports = { readonly httpPort: number; readonly agentPort: number }

/**
 * The endpoints of a server.
 *
 * @param ca the certificate of its authority, PEM
 * @param at the address of ours that the machine reached; what both URLs have in place of `0.0.0.0` and `::`
 * @param ports undefined until the listeners are open: port 0 takes a free one. The URLs are empty until then
 */
export function endpointsOf(
  { address, agent, web }: Pick<ServerConfig, 'address' | 'agent' | 'web'>,
  ca: string,
  ports?: Ports,
  at?: string,
): Endpoints {
  const scheme = web === undefined ? 'http' : 'https'
  return {
    server: {
      url: ports === undefined ? '' : `${scheme}://${hostOf(reachable(address, at))}:${ports.httpPort}`,
      address,
      // Looked up when a template asks: an interface may be added later.
      get addresses() {
        return ownAddresses([address, agent.host])
      },
    },
    agent: {
      url: ports === undefined ? '' : `https://${hostOf(reachable(agent.host, at))}:${ports.agentPort}`,
      ca,
    },
  }
}

/** No one reaches `0.0.0.0` or `::`: in their place the address that was reached, else one of this host. */
export function reachable(address: string, at?: string): string {
  if (!isEveryAddress(address)) return address
  return at?.replace(/^::ffff:/, '') ?? ownAddresses([address])[0] ?? '127.0.0.1'
}

/** An address as it is written in a URL. */
export function hostOf(address: string): string {
  return isIPv6(address) ? `[${address}]` : address
}
