// What the journal keeps boots and their events in.

import type { Boot, BootEvent } from '#model/boot.ts'

/** An event before the store has given it its id. */
export type UnstoredEvent = Omit<BootEvent, 'id'>

/** Where boots and events outlive the process. */
export interface EventStore {
  /**
   * Gives a boot its number: at once, since packets do not wait for it, unique in the store, and greater than all before,
   * also those of which only a token is kept. A store that is far away keeps some numbers in reserve.
   */
  nextBoot(): number
  /** The greatest number of a boot that was given so far, 0 for none. */
  lastBoot(): number
  /**
   * Adds an event and its boot, together with others of the same batch; resolves with the id that the store gave it once it
   * is on disk. Ids grow in the order in which events can be read: a reader who has read up to one misses none by going on
   * behind it. `within a second` is for events of a flood, so that they cost few waits for the disk.
   */
  append(boot: Boot, event: UnstoredEvent, when?: 'soon' | 'within a second'): Promise<number>
  /** The id of the last event on disk, 0 for none. */
  lastEvent(): Promise<number>
  /** Events after the cursor, oldest first; with those that were appended before it was asked. */
  eventsAfter(id: number, filter: { readonly machine?: string; readonly limit: number }): Promise<BootEvent[]>
  eventsOf(boot: string): Promise<BootEvent[]>
  /** The events of several boots: those of one boot together, oldest first. */
  eventsOfBoots(boots: readonly string[]): Promise<BootEvent[]>
  /** The latest boots of declared machines, of each machine and of each of its MACs, in the order in which they began. */
  latestBoots(): Promise<Boot[]>
  /** The boots of a machine or MAC, newest first. */
  bootsOf(
    known: { readonly machine?: string; readonly macs: readonly string[] },
    limit: number,
  ): Promise<Boot[]>
  /** Boots of undeclared machines, newest first, from before the boot of a number. */
  strangerBoots(before: number, limit: number): Promise<(Boot & { readonly number: number })[]>
  /** Removes the boots up to a number of these MACs that belong to no declared machine; resolves once that is on disk. */
  forgetStrangers(macs: readonly string[], upTo: number): Promise<void>
  /** Removes some boots of undeclared machines from before the boot of a number; says whether there are more. */
  trimStrangers(before: number, limit: number): Promise<boolean>
}

/** What is pruned by time. */
export interface PrunedStore {
  /** Milliseconds since 1970 of the event that was written last. */
  newestEvent(): Promise<number | undefined>
  /**
   * Removes boots that began before a time (milliseconds) with their events, tokens that ended, and the history of what was
   * removed: at most `share` of all, and never what has the greatest number given.
   */
  prune(before: number, share: number): Promise<void>
}
