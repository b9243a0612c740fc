// Who has a UDP port already. DHCP shares its port with others on purpose (a relay, a virtual network's dnsmasq on another
// interface), so the kernel does not refuse a second server on our own address: we look. Of a socket of the wildcard address
// the kernel does not say to which interface it is bound: such a dnsmasq has one on port 67. It has none on port 4011,
// where boot servers listen; so a neighbour is another boot server when it has both.

import { readFileSync } from 'node:fs'
import { ipv4Bytes } from '#model/ipv4.ts'

const WILDCARD = '0.0.0.0'
const DHCP = 67
const BOOT_SERVER = 4011

/**
 * Says whether another boot server serves `address` by way of the wildcard address, or, where `address` is the wildcard, one
 * of the addresses that it stands for. A server on another single address is a neighbour.
 *
 * @param table the text of `/proc/net/udp`
 */
export function isSharedByWildcard(table: string, address: string): boolean {
  const has = (host: string) => [DHCP, BOOT_SERVER].every(port => table.includes(` ${placeOf(host, port)} `))
  if (address !== WILDCARD) return has(WILDCARD)
  const port = `:${hex(DHCP, 4)}`
  const hosts = localPlaces(table).flatMap(place =>
    place.endsWith(port) ? [place.slice(0, -port.length)] : [],
  )
  const wildcard = placeOf(WILDCARD, 0).slice(0, 8)
  return hosts.some(host => host !== wildcard && table.includes(` ${host}:${hex(BOOT_SERVER, 4)} `))
}

/** The same, of now; false where the kernel does not say. */
export function isNowSharedByWildcard(address: string): boolean {
  return isSharedByWildcard(udpTable(), address)
}

/**
 * How many sockets of this network namespace are bound to exactly `address` and `port`.
 *
 * @param table the text of `/proc/net/udp`
 */
export function socketsOn(table: string, address: string, port: number): number {
  const wanted = placeOf(address, port)
  return localPlaces(table).filter(place => place === wanted).length
}

/** The same, of now; 0 where the kernel does not say. */
export function socketsNowOn(address: string, port: number): number {
  return socketsOn(udpTable(), address, port)
}

function udpTable(): string {
  try {
    return readFileSync('/proc/self/net/udp', 'utf8')
  } catch {
    return ''
  }
}

/** The second column of each line: where a socket is bound. */
function localPlaces(table: string): string[] {
  return table.split('\n').map(line => line.trim().split(/\s+/)[1] ?? '')
}

/** As the kernel prints it: the address as a 32-bit number in the order of this processor, which is little-endian. */
function placeOf(address: string, port: number): string {
  const bytes = ipv4Bytes(address).toReversed()
  return `${bytes.map(byte => hex(byte, 2)).join('')}:${hex(port, 4)}`
}

function hex(number: number, digits: number): string {
  return number.toString(16).toUpperCase().padStart(digits, '0')
}
