// IPv4 arithmetic for the provisioning network: addresses as numbers while they are counted, dotted elsewhere.

import type { ProvisioningNetwork } from '#server/inventory/objects.ts'

/** A provisioning network with its numbers worked out once. */
export type Subnet = {
  readonly network: ProvisioningNetwork
  /** Dotted. */
  readonly mask: string
  /** Dotted. */
  readonly broadcast: string
  /** The pool's bounds, inclusive. */
  readonly first: number
  readonly last: number
  /** Says whether a machine can have `address` (dotted) here: in the subnet, and neither its first nor its last. */
  holds(address: string): boolean
  /** Says whether `address` (dotted) lies in the pool. */
  pools(address: string): boolean
}

/** Works out the numbers of `network`, which site/read.ts has checked. */
export function subnetOf(network: ProvisioningNetwork): Subnet {
  const [base = '', bits = '32'] = network.subnet.split('/')
  const hosts = 2 ** (32 - Number(bits))
  const start = Math.floor(toNumber(base) / hosts) * hosts
  const end = start + hosts - 1
  const first = toNumber(network.pool.first)
  const last = toNumber(network.pool.last)
  return {
    network,
    mask: toDotted(2 ** 32 - hosts),
    broadcast: toDotted(end),
    first,
    last,
    holds: address => isBetween(toNumber(address), start + 1, end - 1),
    pools: address => isBetween(toNumber(address), first, last),
  }
}

/** Says whether `address` (dotted) is one of the network `subnet`, written like `10.20.0.0/24`. */
export function contains(subnet: string, address: string): boolean {
  const [base = '', bits = '32'] = subnet.split('/')
  const hosts = 2 ** (32 - Number(bits))
  return Math.floor(toNumber(base) / hosts) === Math.floor(toNumber(address) / hosts)
}

/** `10.20.0.1` as a number. */
function toNumber(dotted: string): number {
  return dotted.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

/** A number as `10.20.0.1`. */
export function toDotted(number: number): string {
  return `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`
}

function isBetween(number: number, low: number, high: number): boolean {
  return number >= low && number <= high
}
