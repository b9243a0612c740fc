// Which address of a pool to give next, found without walking the pool: a few that follow from the MAC, then those that
// never had a lease, then the lease that ended longest ago.

import { formatIpv4 } from '#model/ipv4.ts'
import type { Subnet } from './subnet.ts'

/** Addresses tried first, from a place that follows from the MAC. */
const PROBES = 8

/** What counts of a lease here: there is one an address, and a new one is another object. */
type Ending = { readonly address: string; readonly expiresAt: number }

/** What the choice looks at. */
export type Choice = {
  readonly subnet: Subnet
  readonly mac: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** Says whether the client may have an address. */
  readonly isFree: (address: string) => boolean
}

/** The addresses without a lease and the leases in the order of their ends. */
export class FreeAddresses {
  readonly #leaseAt: (address: string) => Ending | undefined
  /** A heap by the end of each lease. A lease that was replaced stays in it until it comes to the top. */
  readonly #ends: Ending[] = []
  /** Addresses of which the lease was removed. */
  #returned: string[] = []
  /** The subnet that `#next` is of. */
  #subnet: Subnet | undefined
  /** Every address before this number has, or had, a lease, or is kept for a machine. */
  #next = 0
  /** Leases of addresses that no client could have when they reached the top. */
  #aside: Ending[] = []

  /** @param leaseAt the lease of an address, whether it still runs or not */
  constructor(leaseAt: (address: string) => Ending | undefined) {
    this.#leaseAt = leaseAt
  }

  /** How many leases are followed, with those that were replaced and not yet seen. */
  get size(): number {
    return this.#ends.length + this.#aside.length
  }

  /** Takes note of a lease that is new. */
  put(lease: Ending): void {
    this.#push(lease)
  }

  /** Takes note of a lease that was removed. */
  drop(address: string): void {
    this.#returned.push(address)
  }

  /** Forgets which addresses could not be given, because the network or its reservations changed. */
  begin(subnet: Subnet): void {
    this.#subnet = subnet
    this.#next = subnet.first
    for (const lease of this.#aside.splice(0)) this.#push(lease)
  }

  /** Puts the heap in order again once most of it is of the past. `all` are the leases that count. */
  tidy(all: Iterable<Ending>): void {
    this.#ends.length = 0
    this.#aside = []
    for (const lease of all) this.#push(lease)
  }

  /** An address for a client; undefined when every one is taken. */
  pick(choice: Choice): string | undefined {
    const { subnet, mac, now, isFree } = choice
    if (this.#subnet !== subnet) this.begin(subnet)
    const size = subnet.last - subnet.first + 1
    const start = placeOf(mac) % size
    const isUnused = (address: string) => this.#leaseAt(address) === undefined && isFree(address)
    for (let step = 0; step < Math.min(PROBES, size); step += 1) {
      const address = formatIpv4(subnet.first + ((start + step) % size))
      if (isUnused(address)) return address
    }
    for (; this.#next <= subnet.last; this.#next += 1) {
      const address = formatIpv4(this.#next)
      if (isUnused(address)) return address
    }
    for (let address = this.#returned.at(-1); address !== undefined; address = this.#returned.at(-1)) {
      if (isUnused(address)) return address
      this.#returned.pop()
    }
    for (let first = this.#ends[0]; first !== undefined; first = this.#ends[0]) {
      const isCurrent = this.#leaseAt(first.address) === first
      if (isCurrent && first.expiresAt > now) return undefined
      if (isCurrent && isFree(first.address)) return first.address
      if (isCurrent) this.#aside.push(first)
      this.#pop()
    }
    return undefined
  }

  #push(lease: Ending): void {
    const heap = this.#ends
    let at = heap.push(lease) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (heap[above]!.expiresAt <= lease.expiresAt) break // above < at
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = lease
  }

  #pop(): void {
    const heap = this.#ends
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && heap[below + 1]!.expiresAt < heap[below]!.expiresAt) below += 1 // both are there
      if (heap[below]!.expiresAt >= last.expiresAt) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
  }
}

// FNV-1a over the text: spreads neighbours apart, needs no secret.
function placeOf(mac: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < mac.length; index += 1) {
    hash = Math.imul(hash ^ mac.charCodeAt(index), 0x01000193) >>> 0
  }
  return hash
}
