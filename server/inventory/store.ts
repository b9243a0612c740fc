// What the inventory keeps beyond the life of the process, whoever keeps it.

import type { Lease, LeaseChange } from '../dhcp/leases.ts'
import type { StoredSite } from './catalog.ts'
import type { BootEvent, BundleFile, SiteObjects } from './objects.ts'

/** One boot of one machine, as the journal groups events. */
export type Boot = {
  /** For example `b-001f`. */
  readonly id: string
  /** The MAC that the machine booted with; lower case, colons. */
  readonly mac: string
  readonly machine?: string
  /** Milliseconds since 1970 of its first event. */
  readonly began: number
}

/** A token as it is kept: never itself, only its hash. */
export type TokenRecord = {
  /** SHA-256, in hex. */
  readonly hash: string
  readonly machine: string
  readonly boot: string
  /** Milliseconds since 1970, after which the bundle is refused. */
  readonly until: number
  /** When the bundle was fetched with it. */
  readonly usedAt?: number
}

/** Keeps everything. Whatever returns has been committed, unless it says otherwise. */
export interface Store {
  sites(): StoredSite[]
  /**
   * Replaces all objects of one site in one transaction, and says whether that changed anything.
   *
   * @throws {SiteConflict} when another site has the same machine, address or group
   */
  putSite(name: string, objects: SiteObjects): boolean

  bundle(machine: string): BundleFile[] | undefined
  /** Says whether the files differ from those stored before. */
  putBundle(machine: string, files: readonly BundleFile[]): boolean

  addToken(token: TokenRecord): void
  token(hash: string): TokenRecord | undefined
  /** Marks the token as used; false when it was used before. Atomic. */
  burnToken(hash: string, at: number): boolean

  /** All leases on disk, whether they still run or not. */
  leases(): Lease[]
  /** Makes the changes in one transaction; they are on disk when it returns. */
  changeLeases(changes: readonly LeaseChange[]): void

  /** Adds events and their boots; resolves once they are on disk, together with others of the same moment. */
  append(boot: Boot, event: BootEvent): Promise<void>
  /** Events after the cursor, oldest first. */
  eventsAfter(id: number, filter: { readonly machine?: string; readonly limit: number }): BootEvent[]
  eventsOf(boot: string): BootEvent[]
  /** The latest boot of every machine and of every MAC, in the order in which they began. */
  latestBoots(): Boot[]
  /** The boots of a machine or MAC, newest first. */
  bootsOf(known: { readonly machine?: string; readonly macs: readonly string[] }, limit: number): Boot[]
  /** The greatest event id and the greatest boot number given so far. */
  counters(): { readonly event: number; readonly boot: number }
  /** Removes events and boots that began before a time (milliseconds), and tokens that ended before it. */
  prune(before: number): void

  close(): void
}
