// The journal's boots and events in SQLite.

import type { Boot, BootEvent } from '#model/boot.ts'
import type { Database } from './database.ts'
import type { EventTable } from './event-table.ts'
import type { EventStore, UnstoredEvent } from '../events.ts'

/** The tables of boots and events. Readers see all that was appended before they asked. */
export class StoredEvents implements EventStore {
  readonly #db: Database
  readonly #table: EventTable
  #lastBoot: number

  constructor(db: Database, table: EventTable) {
    this.#db = db
    this.#table = table
    this.#lastBoot = table.counters().boot
  }

  nextBoot(): number {
    return (this.#lastBoot += 1)
  }

  lastBoot(): number {
    return this.#lastBoot
  }

  append(boot: Boot, event: UnstoredEvent, when: 'soon' | 'within a second' = 'soon'): Promise<number> {
    const patient = when === 'soon' ? true : 'very'
    return this.#db.together(() => this.#table.append(boot, event), { patient })
  }

  async lastEvent(): Promise<number> {
    this.#db.flush()
    return this.#table.counters().event
  }

  async eventsAfter(
    id: number,
    filter: { readonly machine?: string; readonly limit: number },
  ): Promise<BootEvent[]> {
    this.#db.flush()
    return this.#table.after(id, filter)
  }

  async eventsOf(boot: string): Promise<BootEvent[]> {
    this.#db.flush()
    return this.#table.ofBoot(boot)
  }

  async eventsOfBoots(boots: readonly string[]): Promise<BootEvent[]> {
    this.#db.flush()
    return this.#table.ofBoots(boots)
  }

  async latestBoots(): Promise<Boot[]> {
    return this.#table.latestBoots()
  }

  async bootsOf(
    known: { readonly machine?: string; readonly macs: readonly string[] },
    limit: number,
  ): Promise<Boot[]> {
    this.#db.flush()
    return this.#table.bootsOf(known, limit)
  }

  async strangerBoots(before: number, limit: number): Promise<(Boot & { readonly number: number })[]> {
    return this.#table.strangerBoots(before, limit)
  }

  forgetStrangers(macs: readonly string[], upTo: number): Promise<void> {
    return this.#db.together(() => this.#table.forgetStrangers(macs, upTo), { patient: 'very' })
  }

  trimStrangers(before: number, limit: number): Promise<boolean> {
    return this.#db.together(() => this.#table.trimStrangers(before, limit), { patient: true })
  }
}
