// Leases: what a lease is, the table of them that decisions read, and the choice of a free address. Leases key on
// the hardware address, because firmware, iPXE and the operating system of one machine send different client
// identifiers and shall have the same address.

import { toDotted } from './subnet.ts'
import type { Subnet } from './subnet.ts'

/** An address given to a hardware address until a time. */
export type Lease = {
  /** Dotted IPv4: there is one lease an address. */
  readonly address: string
  /** Lower case, colons. */
  readonly mac: string
  /**
   * `offered`: kept while the client makes up its mind (or, in proxy mode, given by another server), in memory only.
   * `bound`: acknowledged. `declined`: the client
   * found somebody else using it, so nobody gets it for a while.
   */
  readonly state: 'offered' | 'bound' | 'declined'
  /** Milliseconds since 1970. A bound lease past its time still tells which address the client had. */
  readonly expiresAt: number
  /** The SMBIOS UUID that the machine's firmware told, kept because its operating system does not tell it. */
  readonly uuid?: string
}

/** A change of the leases: a row put in place of whatever its address had, or the row of an address removed. */
export type LeaseChange =
  { readonly kind: 'put'; readonly lease: Lease } | { readonly kind: 'drop'; readonly address: string }

/** What decisions ask of the leases. */
export interface LeaseView {
  /** The lease of an address, expired or not. */
  at(address: string): Lease | undefined
  /** The last acknowledged lease of a hardware address, expired or not. */
  boundTo(mac: string): Lease | undefined
  /** The address offered to `mac` and not yet requested. */
  offeredTo(mac: string): Lease | undefined
}

/** The leases in memory, indexed; the store behind it is only read at the start. */
export class LeaseTable implements LeaseView {
  readonly #byAddress = new Map<string, Lease>()
  readonly #bound = new Map<string, Lease>()
  readonly #offered = new Map<string, Lease>()

  constructor(leases: readonly Lease[] = []) {
    for (const lease of leases) this.#put(lease)
  }

  at(address: string): Lease | undefined {
    return this.#byAddress.get(address)
  }

  boundTo(mac: string): Lease | undefined {
    return this.#ownedBy(mac, this.#bound)
  }

  offeredTo(mac: string): Lease | undefined {
    return this.#ownedBy(mac, this.#offered)
  }

  /** Makes `changes` in the order given. */
  apply(changes: readonly LeaseChange[]): void {
    for (const change of changes) {
      if (change.kind === 'put') this.#put(change.lease)
      else this.#byAddress.delete(change.address)
    }
  }

  // An index by hardware address may point to a row that has since gone to somebody else: then it says nothing.
  #ownedBy(mac: string, index: ReadonlyMap<string, Lease>): Lease | undefined {
    const lease = index.get(mac)
    return lease !== undefined && this.#byAddress.get(lease.address) === lease ? lease : undefined
  }

  #put(lease: Lease): void {
    this.#byAddress.set(lease.address, lease)
    if (lease.state === 'bound') {
      this.#bound.set(lease.mac, lease)
      this.#offered.delete(lease.mac)
    } else if (lease.state === 'offered') {
      this.#offered.set(lease.mac, lease)
    }
  }
}

/**
 * Picks an address of the pool that `isFree`: one without any lease, else the one whose lease expired longest ago.
 * The search begins at a place that follows from `mac`, so that a machine tends to get the same address even when
 * its lease was forgotten. Undefined when every address is taken.
 */
export function pickAddress(
  subnet: Subnet,
  leases: LeaseView,
  mac: string,
  isFree: (address: string) => boolean,
): string | undefined {
  const size = subnet.last - subnet.first + 1
  const start = placeOf(mac) % size
  let oldest: Lease | undefined
  for (let step = 0; step < size; step += 1) {
    const address = toDotted(subnet.first + ((start + step) % size))
    if (!isFree(address)) continue
    const expired = leases.at(address)
    if (expired === undefined) return address
    if (oldest === undefined || expired.expiresAt < oldest.expiresAt) oldest = expired
  }
  return oldest?.address
}

// FNV-1a over the text: spreads neighbours apart, needs no secret.
function placeOf(mac: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < mac.length; index += 1) {
    hash = Math.imul(hash ^ mac.charCodeAt(index), 0x01000193) >>> 0
  }
  return hash
}
