// The alarms of a server: one for each code and entity, in memory, and on disk within a second.

import type { Alarm, AlarmCode } from '#model/alarm.ts'
import { AlarmCleared, NotFound } from '../errors.ts'
import type { AlarmStore } from '../store/alarms.ts'
import { acknowledge, alarmId, clear, raise, type Raised } from './transitions.ts'

/** How many alarms are kept: of each code for each of 10,000 machines, with room to spare. */
const KEPT = 200_000
/** How many of those are about entities that were never declared, whose names a sender chooses. */
const UNDECLARED_KEPT = 1000
/** How many that are cleared are kept. */
const CLEARED_KEPT = 5000
/** How soon alarms are written, and how many at once: a flood must not keep the disk busy. */
const WRITE_MS = 1000
const WRITTEN_AT_ONCE = 500
/** How long a disk that took nothing is left alone. */
const RETRY_MS = 10_000

/** Kinds of entities whose names come from the wire. */
const UNDECLARED = /^mac:/

/** An alarm after an operator decided, and whether that changed it. */
export type Decided = { readonly alarm: Alarm; readonly isChanged: boolean }

/** All alarms that are kept. What is raised counts at once; what an operator decides counts once it is on disk. */
export class AlarmList {
  readonly #store: AlarmStore
  readonly #now: () => number
  /** By id, in the order in which they were raised last. */
  readonly #alarms = new Map<string, Alarm>()
  /** The ids of those that are trimmed first, each in the order in which they became so. */
  readonly #undeclared = new Set<string>()
  readonly #cleared = new Set<string>()
  /** The ids of those that are not on disk as they are. */
  readonly #changed = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  /** The write that was asked for last: the next one begins when it is over, so that none brings an older alarm back. */
  #lastWrite: Promise<unknown> = Promise.resolve()

  /**
   * @param kept what the store has
   * @param now milliseconds since 1970
   */
  private constructor(store: AlarmStore, kept: readonly Alarm[], now: () => number) {
    this.#store = store
    this.#now = now
    for (const alarm of kept) this.#put(alarm)
    this.#changed.clear()
    this.#trim()
  }

  /** Opens what a store keeps. */
  static async open(store: AlarmStore, now: () => number): Promise<AlarmList> {
    return new AlarmList(store, await store.all(), now)
  }

  /** Raises an alarm: it begins, or is counted once more. */
  raise(raised: Raised): void {
    const before = this.#alarms.get(alarmId(raised))
    this.#put(raise(before, raised, this.#now()))
    if (before === undefined) this.#trim()
    this.#writeSoon()
  }

  /**
   * Clears an alarm whose condition is over; one that is not there, or cleared already, is left as it is.
   *
   * @param lastSeen when it was raised last, as far as the caller knows: an alarm that was raised since then goes on
   */
  end(code: AlarmCode, entity: string, lastSeen?: number): void {
    const alarm = this.#alarms.get(alarmId({ code, entity }))
    if (alarm === undefined || alarm.state === 'cleared') return
    if (lastSeen !== undefined && alarm.lastSeen !== lastSeen) return
    this.#put(clear(alarm, this.#now()))
    this.#trim()
    this.#writeSoon()
  }

  /** Those of a code that are not cleared. */
  open(code: AlarmCode): readonly Alarm[] {
    return [...this.#alarms.values()].filter(alarm => alarm.code === code && alarm.state !== 'cleared')
  }

  /** All of them, the one that was raised longest ago first. */
  all(): Iterable<Alarm> {
    return this.#alarms.values()
  }

  /** @throws {NotFound} 404 */
  get(id: string): Alarm {
    const alarm = this.#alarms.get(id)
    if (alarm === undefined) throw new NotFound('alarm', id, "'pilotlight get alarms' lists all.")
    return alarm
  }

  /**
   * An operator knows of an alarm; on disk when it resolves.
   *
   * @throws {NotFound} 404; {AlarmCleared} 409 when it is over; {CannotWrite} 507, and then it is as it was
   */
  acknowledge(id: string, who: string): Promise<Decided> {
    return this.#decide(id, alarm => {
      if (alarm.state === 'cleared') throw new AlarmCleared(id)
      return acknowledge(alarm, who, this.#now())
    })
  }

  /**
   * An operator says that an alarm is over; on disk when it resolves. What repeats raises it again.
   *
   * @throws {NotFound} 404; {CannotWrite} 507, and then it is as it was
   */
  clear(id: string, who: string): Promise<Decided> {
    return this.#decide(id, alarm => clear(alarm, this.#now(), who))
  }

  #decide(id: string, change: (alarm: Alarm) => Alarm): Promise<Decided> {
    return this.#inTurn(async () => {
      const before = this.get(id)
      if (change(before) === before) return { alarm: before, isChanged: false }
      await this.#store.keep([change(before)], [])
      // It may have been raised meanwhile: that is not lost.
      const after = change(this.get(id))
      this.#put(after)
      this.#trim()
      this.#writeSoon()
      return { alarm: after, isChanged: true }
    })
  }

  /** Puts on disk what is not there yet, as far as the disk takes it. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#inTurn(async () => {
      while (this.#changed.size > 0) if (!(await this.#write())) return
    })
  }

  #put(alarm: Alarm): void {
    const { id, entity, state } = alarm
    for (const index of [this.#alarms, this.#cleared, this.#undeclared]) index.delete(id)
    this.#alarms.set(id, alarm)
    if (state === 'cleared') this.#cleared.add(id)
    if (UNDECLARED.test(entity)) this.#undeclared.add(id)
    this.#changed.add(id)
  }

  #trim(): void {
    this.#trimTo(CLEARED_KEPT, this.#cleared)
    this.#trimTo(UNDECLARED_KEPT, this.#undeclared)
    this.#trimTo(KEPT, this.#alarms)
  }

  #trimTo(most: number, ids: { readonly size: number; keys(): Iterator<string> }): void {
    while (ids.size > most) {
      const id = ids.keys().next().value as string // it has one
      for (const index of [this.#alarms, this.#cleared, this.#undeclared]) index.delete(id)
      this.#changed.add(id)
    }
  }

  #writeSoon(delayMs = WRITE_MS): void {
    this.#timer ??= setTimeout(() => {
      void this.#inTurn(async () => {
        const isTaken = await this.#write()
        this.#timer = undefined
        if (this.#changed.size > 0) this.#writeSoon(isTaken ? WRITE_MS : RETRY_MS)
      })
    }, delayMs).unref()
  }

  /** Does what writes alarms once all writes that were asked for before are over. */
  #inTurn<T>(write: () => Promise<T>): Promise<T> {
    const written = this.#lastWrite.then(write)
    this.#lastWrite = written.catch(() => {}) // the caller gets the error
    return written
  }

  /** Writes some of what changed, and says whether the disk took it; what it did not take is written later. Its health is reported elsewhere. */
  async #write(): Promise<boolean> {
    const ids = [...this.#changed].slice(0, WRITTEN_AT_ONCE)
    for (const id of ids) this.#changed.delete(id)
    const kept = ids.flatMap(id => this.#alarms.get(id) ?? [])
    const forgotten = ids.filter(id => !this.#alarms.has(id))
    try {
      await this.#store.keep(kept, forgotten)
      return true
    } catch {
      for (const id of ids) this.#changed.add(id)
      return false
    }
  }
}
