// What the inventory keeps beyond the life of the process, in any kind of store.

import type { BootEvent } from '#model/boot.ts'

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

/** Keeps everything. Whatever returns has been committed, unless it says otherwise. */
export interface Store {
  /** Adds events and their boots; resolves once they are on disk, together with others of the same batch. */
  append(boot: Boot, event: BootEvent, when?: 'soon' | 'within a second'): Promise<void>
  /** Events after the cursor, oldest first. */
  eventsAfter(id: number, filter: { readonly machine?: string; readonly limit: number }): BootEvent[]
  eventsOf(boot: string): BootEvent[]
  /** The events of several boots: those of one boot together, oldest first. */
  eventsOfBoots(boots: readonly string[]): BootEvent[]
  /** The latest boots of declared machines, of each machine and of each of its MACs, in the order in which they began. */
  latestBoots(): Boot[]
  /** Boots of undeclared machines, newest first, from before the boot of a number. */
  strangerBoots(before: number, limit: number): (Boot & { readonly number: number })[]
  /** Removes the boots up to a number of these MACs that belong to no declared machine; resolves once that is on disk. */
  forgetStrangers(macs: readonly string[], upTo: number): Promise<void>
  /**
   * Removes some boots of undeclared machines from before the boot of a number; says whether there are more.
   */
  trimStrangers(before: number, limit: number): Promise<boolean>
  /** The boots of a machine or MAC, newest first. */
  bootsOf(known: { readonly machine?: string; readonly macs: readonly string[] }, limit: number): Boot[]
  /** The greatest event id and the greatest boot number given so far. */
  counters(): { readonly event: number; readonly boot: number }
  /** Removes boots that began before a time (milliseconds), tokens that ended, and the history of what was removed. */
  prune(before: number, share?: number): void

  close(): void
}
