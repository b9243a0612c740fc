// When old events, boots and history are removed: by the time that passed while the server ran, never by a clock that jumped.

import { DAY_MS } from '#model/time.ts'
import type { Log } from '../log.ts'
import type { Parts } from '../process/parts.ts'
import type { PrunedStore } from '../store/events.ts'

const MINUTE_MS = 60_000

/** Of all rows, at most so many at once: a clock that is wrong for days takes days to do harm, and is reported meanwhile. */
const PRUNED_SHARE = 0.1

/** What pruning needs of the service. */
export type PruningNeeds = {
  readonly store: PrunedStore
  /** Days that events are kept. */
  readonly days: number
  /** Milliseconds since 1970, and of a clock that only grows. */
  readonly clocks: { readonly wall: () => number; readonly steady: () => number }
  /** Calls `listener` with the milliseconds by which the host's clock was set. */
  readonly onJump: (listener: (jumpMs: number) => void) => void
  readonly log: Log
}

/** Prunes the store from now on. */
export async function openPruning(
  { store, days, clocks, onJump, log }: PruningNeeds,
  parts: Parts,
): Promise<void> {
  const newest = await store.newestEvent()
  const pruning = new Pruning({ store, days, newest }, { now: clocks.wall, steady: clocks.steady }, log)
  parts.add('pruning', pruning)
  onJump(jumpMs => pruning.clockJumped(jumpMs))
}

/** Looks every ten minutes, and forgets once a day. */
export class Pruning {
  readonly #store: PrunedStore
  readonly #days: number
  readonly #now: () => number
  readonly #steady: () => number
  readonly #log: Log
  readonly #started: number
  readonly #timer: NodeJS.Timeout
  /** Until when nothing is forgotten, by the steady clock. */
  #restsUntil: number

  /**
   * @param kept the store, the days that are kept, and the time of the newest event
   * @param clocks milliseconds since 1970, and of a clock that only grows
   */
  constructor(
    {
      store,
      days,
      newest,
    }: { readonly store: PrunedStore; readonly days: number; readonly newest: number | undefined },
    clocks: { readonly now: () => number; readonly steady: () => number },
    log: Log,
  ) {
    this.#store = store
    this.#days = days
    this.#now = clocks.now
    this.#steady = clocks.steady
    this.#log = log
    this.#started = clocks.steady()
    // Not in the first minutes: a clock without a battery is set by NTP some time after the start.
    this.#restsUntil = this.#started + 10 * MINUTE_MS
    if (newest !== undefined)
      this.clockJumped(clocks.now() - newest, 'The clock and the newest boot event are')
    this.#timer = setInterval(() => void this.look(), 10 * MINUTE_MS).unref()
  }

  /** Takes note that the clock is not where it was expected; more than a day is logged, and nothing is forgotten for a day. */
  clockJumped(jumpMs: number, what = 'The clock was set; old and new time are'): void {
    if (Math.abs(jumpMs) <= DAY_MS) return
    const days = Math.round(Math.abs(jumpMs) / DAY_MS)
    const where = jumpMs > 0 ? 'ahead' : 'behind'
    this.#log(
      'warn',
      `${what} ${days} days apart (${where}): nothing is forgotten for a day. Check the clock (timedatectl).`,
    )
    this.#restsUntil = Math.max(this.#restsUntil, this.#steady() + DAY_MS)
  }

  /** Forgets what is too old, if that is due; called by a timer. Never rejects. */
  async look(): Promise<void> {
    if (this.#steady() < this.#restsUntil) return
    try {
      const newest = await this.#store.newestEvent()
      if (newest === undefined) return
      this.#restsUntil = this.#steady() + DAY_MS
      await this.#store.prune(Math.min(this.#now(), newest) - this.#days * DAY_MS, PRUNED_SHARE)
    } catch (error) {
      this.#log('warn', `Old events could not be forgotten: ${(error as Error).message}`) // of the store, which throws no other
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
