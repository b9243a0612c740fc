// Token buckets: how much a sender may ask of us. Pure: the time is passed in.

import { keepLast } from './bounded.ts'

/** What a bucket gives. */
export type Rate = {
  /** Tokens that come back each second. */
  readonly perSecond: number
  /** Tokens that a bucket holds when it is full: what may be spent at once after a quiet time. */
  readonly burst: number
}

/** One bucket. It starts full. */
export class Bucket {
  readonly #rate: Rate
  #tokens: number
  #at: number

  /** @param now milliseconds of any clock that does not go back, the same for all calls */
  constructor(rate: Rate, now: number) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#at = now
  }

  /** The tokens that are left; below 0 after a `charge` that cost more than there was. */
  left(now: number): number {
    const { perSecond, burst } = this.#rate
    this.#tokens = Math.min(burst, this.#tokens + (Math.max(0, now - this.#at) / 1000) * perSecond)
    this.#at = Math.max(this.#at, now)
    return this.#tokens
  }

  /** Takes `tokens` if they are there, and says whether they were. */
  take(now: number, tokens = 1): boolean {
    if (this.left(now) < tokens) return false
    this.#tokens -= tokens
    return true
  }

  /** Takes `tokens` whether they are there or not: for work whose cost is known only afterwards. */
  charge(now: number, tokens: number): void {
    this.left(now)
    this.#tokens -= tokens
  }

  /** Milliseconds until `tokens` are there. */
  waitMs(now: number, tokens = 1): number {
    return (Math.max(0, tokens - this.left(now)) * 1000) / this.#rate.perSecond
  }
}

/** A bucket for each sender. The senders that were not seen for the longest time are forgotten first. */
export class Buckets {
  readonly #rate: Rate
  readonly #most: number
  readonly #bySender = new Map<string, Bucket>()

  /** @param most how many senders are remembered */
  constructor(rate: Rate, most = 10_000) {
    this.#rate = rate
    this.#most = most
  }

  /** The senders that are remembered. */
  get size(): number {
    return this.#bySender.size
  }

  /** The bucket of a sender. */
  of(sender: string, now: number): Bucket {
    const known = this.#bySender.get(sender)
    if (known !== undefined) {
      // Only a full memory needs the order of use.
      if (this.#bySender.size >= this.#most / 2) {
        this.#bySender.delete(sender)
        this.#bySender.set(sender, known)
      }
      return known
    }
    const fresh = new Bucket(this.#rate, now)
    this.#bySender.set(sender, fresh)
    keepLast(this.#bySender, this.#most)
    return fresh
  }
}
