// Whose program listens at an address of this host, as Linux lists it: what is secret is shown to no one else's.

import { readFileSync } from 'node:fs'
import { endianness } from 'node:os'
import { parseAddress } from '#model/address.ts'

/**
 * Says whether all programs that can answer at this address and port of this host belong to root or to the user `uid`; also
 * whether there is one at all. While a server is down, any user can listen in its place on a port above 1023.
 */
export function isListenerOf(uid: number, host: string, port: number): boolean {
  const hosts = host === 'localhost' ? ['127.0.0.1', '::1'] : [host]
  const uids = hosts.flatMap(one => listenersAt(one, port, readTables()))
  return uids.length > 0 && uids.every(owner => owner === 0 || owner === uid)
}

/**
 * The users who listen at a port of an address, or of all addresses.
 *
 * @param tables texts of `/proc/net/tcp` and `/proc/net/tcp6` (proc_pid_net(5)): address and port in hex, state (0A listens)
 *   and user of each socket
 */
export function listenersAt(host: string, port: number, tables: readonly string[]): number[] {
  const wanted = bitsOf(host)
  return tables.flatMap(table =>
    [...table.matchAll(/^ *\d+: ([\dA-F]+):([\dA-F]{4}) \S+ 0A \S+ \S+ \S+ +(\d+) /gm)].flatMap(
      ([, address = '', at = '', uid = '']) => {
        const bits = boundTo(address)
        return Number.parseInt(at, 16) === port && (bits === 0n || bits === wanted) ? [Number(uid)] : []
      },
    ),
  )
}

function readTables(): string[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(path => {
    try {
      return [readFileSync(path, 'latin1')]
    } catch {
      return [] // a host without IPv6, or without Linux
    }
  })
}

function bitsOf(host: string): bigint | undefined {
  return parseAddress(host.replaceAll(/^\[|\]$/g, ''))?.bits
}

/** The address of a socket, whose words of 32 bits are in the order of the processor; that of an IPv4 one mapped is the IPv4 one. */
function boundTo(hex: string): bigint {
  const words = hex.match(/.{8}/g) ?? []
  const plain = words.map(word =>
    endianness() === 'LE' ? (word.match(/../g) ?? []).toReversed().join('') : word,
  )
  const bits = BigInt(`0x${plain.join('')}`)
  return bits >> 32n === 0xffffn ? bits & 0xffff_ffffn : bits
}
