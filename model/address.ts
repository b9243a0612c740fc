// IP addresses and networks, for selectors: both families as numbers, so that a network is a prefix.

import { isIPv4, isIPv6 } from 'node:net'
import { parseIpv4 } from './ipv4.ts'

/** An address: its bits as a number, and how many there are. */
export type Address = { readonly bits: bigint; readonly width: 32 | 128 }

/** A network: its first address, and how many bits count. */
export type Network = Address & { readonly length: number }

/** Reads an IPv4 or IPv6 address; `::ffff:10.0.0.1`, as sockets show it, is the IPv4 one. Undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { bits: BigInt(parseIpv4(text) ?? 0), width: 32 }
  if (!isIPv6(text) || text.includes('%')) return undefined
  const bits = ipv6Of(text)
  return bits >> 32n === 0xffffn ? { bits: bits & 0xffff_ffffn, width: 32 } : { bits, width: 128 }
}

/** Reads `10.20.0.0/24`, `fd00::/8`, or an address, which counts as a network of one. Undefined for anything else. */
export function parseNetwork(text: string): Network | undefined {
  const [, base = '', digits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const address = parseAddress(base)
  if (address === undefined) return undefined
  const length = digits === undefined ? address.width : Number(digits)
  return length > address.width ? undefined : { ...address, bits: prefixOf(address, length), length }
}

/** The first `length` bits of an address, the others 0. */
export function prefixOf({ bits, width }: Address, length: number): bigint {
  const rest = BigInt(width - length)
  return (bits >> rest) << rest
}

function ipv6Of(text: string): bigint {
  const plain = text.replace(/\d+\.\d+\.\d+\.\d+$/, dotted => {
    const number = parseIpv4(dotted) ?? 0
    return `${Math.floor(number / 65536).toString(16)}:${(number % 65536).toString(16)}`
  })
  const [head = '', tail] = plain.split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0')
  return [...front, ...zeros, ...back].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n)
}

/** Says whether only this host can reach a listener that is bound to `address` (an IP address, no name). */
export function isLoopback(address: string): boolean {
  if (!address.includes(':')) return address.startsWith('127.') && isIPv4(address)
  const { bits, width } = parseAddress(address) ?? { bits: 0n, width: 32 }
  return width === 32 ? bits >> 24n === 127n : bits === 1n
}
