// How many reports the agent of one boot may send, and how many bytes of logs with them.

import { Bucket, type Rate } from './bucket.ts'
import { keepLast } from './bounded.ts'

/** The limit of reports: far more than a rack that fails sends. */
const REPORTS: Rate = { perSecond: 20 / 60, burst: 20 }
/** Bytes of texts and logs that are kept of one boot; the rest is dropped. */
const BYTES = 256 << 10
/** Boots that are remembered; the oldest are forgotten first. */
const REMEMBERED = 10_000

/** Counts the reports of each boot. */
export class Reports {
  readonly #boots = new Map<string, { readonly bucket: Bucket; bytesLeft: number }>()
  readonly #clock: () => number

  /** @param clock milliseconds that only grow */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
  }

  /**
   * Takes one report with so many bytes of text and log. Says whether its bytes fit, or how many milliseconds the agent
   * is to wait before it asks again.
   */
  take(boot: string, bytes: number): { readonly fits: boolean } | { readonly waitMs: number } {
    const now = this.#clock()
    const known = this.#boots.get(boot) ?? { bucket: new Bucket(REPORTS, now), bytesLeft: BYTES }
    this.#boots.set(boot, known)
    keepLast(this.#boots, REMEMBERED)
    if (!known.bucket.take(now)) return { waitMs: known.bucket.waitMs(now) }
    const fits = bytes <= known.bytesLeft
    if (fits) known.bytesLeft -= bytes
    return { fits }
  }
}
