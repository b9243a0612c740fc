// Leases: the table of them that decisions read, and the choice of a free address. Leases key on
// the hardware address, because firmware, iPXE and the operating system of one machine send different client
// identifiers and must have the same address.

import type { Lease } from '#model/lease.ts'
import { DAY_MS } from '#model/time.ts'
import type { LeaseChange } from '../../store/leases.ts'
import { FreeAddresses, type Choice } from './free-addresses.ts'
import { keepLast } from '../../limits/bounded.ts'

/** The longest time that a lease runs, in milliseconds. */
const LONGEST_MS = 43_200_000
/** A clock that is so far from where it was left has stopped or jumped, or the server was not running. */
const APART_MS = DAY_MS

/**
 * The leases of an earlier process by the clock of this one. `lastSeen` is when that one wrote last, by its own clock.
 * Where the two are more than a day apart, or time moved backwards, each lease gets the time that was left then: it may be kept
 * for some hours too long, but is neither freed under its client nor kept for years. Undefined when all are right as they are.
 */
export function leasesAfterJump(
  leases: readonly Lease[],
  lastSeen: number | undefined,
  now: number,
): Lease[] | undefined {
  const isApart = lastSeen !== undefined && (now < lastSeen - 60_000 || now > lastSeen + APART_MS)
  if (!isApart && leases.every(({ expiresAt }) => expiresAt <= now + LONGEST_MS)) return undefined
  const then = isApart ? lastSeen : now
  return leases.map(lease => ({
    ...lease,
    expiresAt: now + Math.min(lease.expiresAt - then, LONGEST_MS),
  }))
}

/** What decisions ask of the leases. */
export interface LeaseView {
  /** The lease of an address, expired or not. */
  at(address: string): Lease | undefined
  /** The last acknowledged lease of a hardware address, expired or not. */
  boundTo(mac: string): Lease | undefined
  /** The address offered to `mac` and not yet requested. */
  offeredTo(mac: string): Lease | undefined
  /** Says whether a hardware address showed that something lives there: it renewed its lease, or fetched a file. */
  isAlive(mac: string): boolean
  /** The addresses that were found in use by another host and are kept back for it at `now`, the longest first. */
  declined(now: number): readonly Lease[]
  /** An address of the pool for a client that has none: one without any lease, else the one whose lease ended longest ago. */
  pick(choice: Choice): string | undefined
}

/** How many hardware addresses are remembered to be alive; the oldest are forgotten first. */
const ALIVE_REMEMBERED = 100_000

/** The leases in memory, indexed; the store behind it is only read at the start. */
export class LeaseTable implements LeaseView {
  readonly #byAddress = new Map<string, Lease>()
  readonly #bound = new Map<string, Lease>()
  readonly #offered = new Map<string, Lease>()
  readonly #alive = new Set<string>()
  /** In the order in which they were declined. */
  readonly #declined = new Map<string, Lease>()
  readonly #free = new FreeAddresses(address => this.#byAddress.get(address))

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

  isAlive(mac: string): boolean {
    return this.#alive.has(mac)
  }

  declined(now: number): readonly Lease[] {
    for (const [address, lease] of this.#declined) {
      if (this.#byAddress.get(address) !== lease || lease.expiresAt <= now) this.#declined.delete(address)
    }
    return [...this.#declined.values()]
  }

  pick(choice: Choice): string | undefined {
    return this.#free.pick(choice)
  }

  /** The lease of every address that has, or had, one. */
  all(): Iterable<Lease> {
    return this.#byAddress.values()
  }

  /** How many addresses have, or had, a lease. */
  get size(): number {
    return this.#byAddress.size
  }

  /** How many hardware addresses are remembered for their offers and leases. */
  get remembered(): number {
    return this.#bound.size + this.#offered.size
  }

  /** How many leases of addresses that `counts` run at `now` (milliseconds since 1970). Looks at each of them. */
  running(now: number, counts: (address: string) => boolean): number {
    let count = 0
    for (const { address, expiresAt } of this.#byAddress.values()) {
      if (expiresAt > now && counts(address)) count += 1
    }
    return count
  }

  /** Takes note that a hardware address is alive. */
  sawAlive(mac: string): void {
    this.#alive.add(mac)
    keepLast(this.#alive, ALIVE_REMEMBERED)
  }

  /** Takes note that the addresses that can be given have changed: reservations were added or removed. */
  reservationsChanged(subnet: Choice['subnet']): void {
    this.#free.begin(subnet)
  }

  /** Makes `changes` in the order given. */
  apply(changes: readonly LeaseChange[]): void {
    for (const change of changes) {
      if (change.kind === 'put') this.#put(change.lease)
      else if (this.#byAddress.delete(change.address)) this.#free.drop(change.address)
    }
    if (this.#free.size > 2 * this.#byAddress.size + 1000) this.#free.tidy(this.#byAddress.values())
    // An offer that was not taken means nothing once it is over, nor does a lease whose address another client now has.
    for (const index of [this.#offered, this.#bound]) {
      if (index.size > 2 * this.#byAddress.size + 1000) this.#tidy(index)
    }
  }

  // An index by hardware address may point to a row that another client now has: then it means nothing.
  #ownedBy(mac: string, index: ReadonlyMap<string, Lease>): Lease | undefined {
    const lease = index.get(mac)
    return lease !== undefined && this.#byAddress.get(lease.address) === lease ? lease : undefined
  }

  #tidy(index: Map<string, Lease>): void {
    for (const [mac, lease] of index) {
      if (this.#byAddress.get(lease.address) !== lease) index.delete(mac)
    }
  }

  #put(lease: Lease): void {
    this.#byAddress.set(lease.address, lease)
    this.#free.put(lease)
    if (lease.state === 'bound') {
      this.#bound.set(lease.mac, lease)
      this.#offered.delete(lease.mac)
    } else if (lease.state === 'offered') {
      this.#offered.set(lease.mac, lease)
    } else {
      this.#declined.delete(lease.address)
      this.#declined.set(lease.address, lease)
    }
  }
}
