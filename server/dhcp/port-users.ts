// Who has a UDP port already. DHCP shares its port with others on purpose (a relay, a virtual network's dnsmasq on another
// interface), so the kernel does not refuse a second server on our own address: we look.

import { readFileSync } from 'node:fs'

/**
 * How many sockets of this network namespace are bound to exactly `address` and `port`; those of the wildcard address are
 * not counted.
 *
 * @param table the text of `/proc/net/udp`
 */
export function socketsOn(table: string, address: string, port: number): number {
  // The address as the kernel prints it: the 32-bit number in the order of this processor, which is little-endian.
  const bytes = address.split('.').map(Number).toReversed()
  const wanted = `${bytes.map(byte => hex(byte, 2)).join('')}:${hex(port, 4)}`
  return table.split('\n').filter(line => line.trim().split(/\s+/)[1] === wanted).length
}

/** The same, of now; 0 where the kernel does not say. */
export function socketsNowOn(address: string, port: number): number {
  try {
    return socketsOn(readFileSync('/proc/self/net/udp', 'utf8'), address, port)
  } catch {
    return 0
  }
}

function hex(number: number, digits: number): string {
  return number.toString(16).toUpperCase().padStart(digits, '0')
}
