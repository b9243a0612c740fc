// IPv4 arithmetic for the provisioning network: addresses as numbers while they are counted, dotted elsewhere.

import { formatIpv4, type Ipv4Network, isBetween, isHostOf, networkAround, parseIpv4 } from '#model/ipv4.ts'
import type { ProvisioningNetwork } from '#model/network.ts'

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
  /** Says whether `address` (dotted) is in the pool. */
  pools(address: string): boolean
}

/** Of a subnet that is not one: it holds nothing. */
const NOWHERE: Ipv4Network = { first: 0, last: 0, bits: 32 }

/** Works out the numbers of `network`, which rack/site/read.ts has checked. */
export function subnetOf(network: ProvisioningNetwork): Subnet {
  const bounds = networkAround(network.subnet) ?? NOWHERE
  const first = parseIpv4(network.pool.first) ?? NaN
  const last = parseIpv4(network.pool.last) ?? NaN
  return {
    network,
    mask: formatIpv4(2 ** 32 - (bounds.last - bounds.first + 1)),
    broadcast: formatIpv4(bounds.last),
    first,
    last,
    holds: address => isHostOf(bounds, parseIpv4(address) ?? NaN),
    pools: address => isBetween(parseIpv4(address), first, last),
  }
}
