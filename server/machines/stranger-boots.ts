// What the journal keeps of undeclared machines: the newest of them, and no more than so many bytes; and how
// many events one machine may leave. Anyone on the wire can send packets in any machine's name.

import { Bucket, Buckets, type Rate } from '../limits/bucket.ts'

/** How much is kept. */
export type JournalLimits = {
  /** Undeclared machines; those seen last are kept. */
  readonly strangers: number
  /** Bytes of their events. */
  readonly strangerBytes: number
  /** Such machines that were not known before. */
  readonly newStrangers: Rate
  /** Events of all of them that are on disk as soon as others'; what comes faster shares a commit a second. */
  readonly promptEvents: Rate
  /** Events of one such machine. */
  readonly eventsOfStranger: Rate
  /**
   * Events of one declared machine: packets and files; apart from them refusals, which anyone can cause; and apart from
   * both what takes a token. What an intruder would hide is always kept (`Importance`).
   */
  readonly eventsOfMachine: Rate
  /**
   * Boots of one declared machine where DHCP shows none, and so anyone can begin one: of those from its declared address,
   * and apart from them of all from other addresses.
   */
  readonly bootsOfMachine: Rate
}

/**
 * What an event of a declared machine competes with for its place: `always` with nothing (held, approved, bundle, ...: each
 * takes a token, a boot or an operator, of which there are few), and others with their own class.
 */
export type Importance = 'always' | 'vouched' | 'refusal' | 'packet'

/** Limits that no rack reaches: a boot leaves some 20 to 40 events. */
export const JOURNAL_LIMITS: JournalLimits = {
  strangers: 10_000,
  strangerBytes: 64 << 20,
  newStrangers: { perSecond: 200, burst: 2000 },
  promptEvents: { perSecond: 20, burst: 200 },
  eventsOfStranger: { perSecond: 10 / 60, burst: 200 },
  eventsOfMachine: { perSecond: 2, burst: 2000 },
  bootsOfMachine: { perSecond: 1 / 60, burst: 64 },
}

/** Bytes of an event beside its texts: columns, indexes. */
const ROW_BYTES = 150

/** The bytes that an event takes in the store, roughly. */
export function bytesOfEvent({ text, detail }: { readonly text: string; readonly detail: object }): number {
  return ROW_BYTES + text.length + JSON.stringify(detail).length
}

/** The undeclared machines, those seen longest ago first. */
export class StrangerBoots {
  readonly #limits: JournalLimits
  readonly #clock: () => number
  readonly #fresh: Bucket
  readonly #prompt: Bucket
  readonly #events: Buckets
  readonly #machineEvents: Readonly<Record<Exclude<Importance, 'always'>, Buckets>>
  readonly #machineBoots: Buckets
  /** Bytes of the events of each, by MAC. */
  #known = new Map<string, number>()
  #bytes = 0

  /** @param clock milliseconds that only grow */
  constructor(limits: JournalLimits = JOURNAL_LIMITS, clock: () => number = () => performance.now()) {
    this.#limits = limits
    this.#clock = clock
    this.#fresh = new Bucket(limits.newStrangers, clock())
    this.#prompt = new Bucket(limits.promptEvents, clock())
    this.#events = new Buckets(limits.eventsOfStranger, limits.strangers)
    const ofMachines = () => new Buckets(limits.eventsOfMachine, 70_000) // more than can be declared
    this.#machineEvents = { vouched: ofMachines(), refusal: ofMachines(), packet: ofMachines() }
    this.#machineBoots = new Buckets(limits.bootsOfMachine, 100_000)
  }

  /** How much is kept. */
  get limits(): JournalLimits {
    return this.#limits
  }

  /** How many are known. */
  get size(): number {
    return this.#known.size
  }

  /** The bytes of their events. */
  get bytes(): number {
    return this.#bytes
  }

  /** Says whether an unknown one may be taken now. */
  mayBegin(): boolean {
    return this.#fresh.take(this.#clock())
  }

  /** Says whether an event is to be on disk as soon as those of declared machines. */
  isPrompt(): boolean {
    return this.#prompt.take(this.#clock())
  }

  /** Says whether a declared machine may begin a boot that DHCP does not show; `isHome`: from its declared address. */
  mayBoot(machine: string, isHome: boolean): boolean {
    const now = this.#clock()
    return this.#machineBoots.of(`${machine} ${isHome ? 'home' : 'elsewhere'}`, now).take(now)
  }

  /** Says whether an event is kept of a machine, by its name when it is declared, else by its MAC. */
  mayRecord(
    of: { readonly machine: string; readonly importance: Importance } | { readonly mac: string },
  ): boolean {
    const now = this.#clock()
    if ('mac' in of) return this.#events.of(of.mac, now).take(now)
    if (of.importance === 'always') return true
    return this.#machineEvents[of.importance].of(of.machine, now).take(now)
  }

  /** Takes note of an event of one. Gives the MACs of those that are to be forgotten for it. */
  saw(mac: string, bytes: number): string[] {
    const before = this.#known.get(mac) ?? 0
    this.#known.delete(mac)
    this.#known.set(mac, before + bytes)
    this.#bytes += bytes
    return this.#surplus()
  }

  /** Takes those of an earlier run, the newest first: they come behind all that were seen since. */
  resume(older: readonly { readonly mac: string; readonly bytes: number }[]): string[] {
    const since = this.#known
    this.#known = new Map(older.toReversed().map(({ mac, bytes }) => [mac, bytes]))
    for (const [mac, bytes] of since) {
      const all = bytes + (this.#known.get(mac) ?? 0)
      this.#known.delete(mac)
      this.#known.set(mac, all)
    }
    this.#bytes = 0
    for (const bytes of this.#known.values()) this.#bytes += bytes
    return this.#surplus()
  }

  /** Forgets one: it was declared. */
  forget(mac: string): void {
    this.#bytes -= this.#known.get(mac) ?? 0
    this.#known.delete(mac)
  }

  #surplus(): string[] {
    const gone: string[] = []
    for (const [mac, bytes] of this.#known) {
      const isOver = this.#known.size > this.#limits.strangers || this.#bytes > this.#limits.strangerBytes
      if (!isOver || this.#known.size === 1) break
      this.#known.delete(mac)
      this.#bytes -= bytes
      gone.push(mac)
    }
    return gone
  }
}
