// By which IPv4 addresses the server can be reached: what a node's firewall keeps pods and guests from.

import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { BROADCAST, networkAround, parseIpv4 } from '#model/ipv4.ts'

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

/**
 * What an address is that several hosts share, so that no client can connect to it: `multicast` or `broadcast`; undefined for any
 * other. Linux lets a program listen there all the same.
 *
 * @param networks those of this host's interfaces, as `10.20.0.2/24`: the first and the last address of each are broadcast
 *   (RFC 1122 §3.3.6), except where it has one or two addresses (RFC 3021), or an interface has this very address
 */
export function sharedAddress(
  host: string,
  networks: readonly string[] = networksOfThisHost(),
): 'multicast' | 'broadcast' | undefined {
  if (/^ff[\da-f]{2}:/i.test(host)) return 'multicast'
  if (host === BROADCAST) return 'broadcast'
  const address = parseIpv4(host)
  if (address === undefined) return undefined
  if (address >>> 28 === 0b1110) return 'multicast'
  if (networks.some(text => text.startsWith(`${host}/`))) return undefined
  const isEnd = networks.some(text => {
    const network = networkAround(text)
    return network !== undefined && network.bits < 31 && [network.first, network.last].includes(address)
  })
  return isEnd ? 'broadcast' : undefined
}

/** Says whether the kernel forwards packets between networks; undefined where it does not say. */
export function forwardsPackets(): boolean | undefined {
  try {
    return readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1'
  } catch {
    return undefined
  }
}

/** Says whether a program of this host listens where time servers do, beyond loopback; undefined where the kernel does not say. */
export function servesTime(): boolean | undefined {
  try {
    return [4, 6].some(family =>
      listensForTime(readFileSync(`/proc/self/net/udp${family === 4 ? '' : '6'}`, 'utf8')),
    )
  } catch {
    return undefined
  }
}

/**
 * The same of a table of sockets.
 *
 * @param table the text of `/proc/net/udp` or `/proc/net/udp6`
 */
export function listensForTime(table: string): boolean {
  // The second column: the address in hexadecimal digits of 32 bits each, in the order of this processor, and the port: 123.
  return [...table.matchAll(/^\s*\d+: ([0-9A-F]+):007B /gm)].some(([, host = '']) => !LOOPBACK.test(host))
}

const LOOPBACK = /^(?:(?:0{16}FFFF0000)?[0-9A-F]{6}7F|0{24}01000000)$/

function networksOfThisHost(): string[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .flatMap(({ family, cidr }) => (family === 'IPv4' && cidr !== null ? [cidr] : []))
}

function ofThisHost(): string[] {
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
}
