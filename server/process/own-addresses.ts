// By which IPv4 addresses the server can be reached: what a node's firewall keeps pods and guests from.

import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'

/**
 * The IPv4 addresses behind `hosts`, the hosts of listeners, each once and in their order. `0.0.0.0` and `::` mean every
 * address that this host has now, except loopback; a name, or any other IPv6 address, gives none.
 */
export function ownAddresses(hosts: readonly string[]): string[] {
  const found = hosts.flatMap(host => (isEveryAddress(host) ? ofThisHost() : [host]))
  return [...new Set(found.filter(host => isIPv4(host)))]
}

/** Says whether a listener at `host` is reached by every address of this host, and by `host` itself by none. */
export function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** Says whether the kernel forwards packets between networks; undefined where it does not say. */
export function forwardsPackets(): boolean | undefined {
  try {
    return readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1'
  } catch {
    return undefined
  }
}

function ofThisHost(): string[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
}
