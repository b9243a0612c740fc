// Waiting with a deadline and a reason. Nothing in Pilotlight polls without this.

import { PilotlightError } from '#model/error.ts'
import { reasonOf } from '#model/reason.ts'
import type { Stage } from './stage.ts'

/** What a probe saw: the value waited for, or the reason why it is not there yet. */
export type Seen<T> = { readonly value: T } | { readonly not: string }

/** How long to wait, how often to look, and where to report why it still waits. */
export type WaitOptions = {
  readonly limitSeconds: number
  /** Milliseconds between two looks, 250 by default. */
  readonly everyMs?: number
  readonly stage?: Stage
  readonly signal?: AbortSignal
}

/** Thrown when the limit has passed; carries the last reason seen, so that the message names the layer. */
export class WaitedTooLong extends PilotlightError {
  readonly code = 'WAITED_TOO_LONG'
  readonly reason: string
  constructor(what: string, reason: string, limitSeconds: number, remedy?: string) {
    super(`${what}: waited ${limitSeconds} s. Last seen: ${reason}`, remedy === undefined ? {} : { remedy })
    this.reason = reason
  }
}

/**
 * Looks again and again until `probe` sees the value. An error of the probe counts as "not yet", with its
 * message as the reason. A look that hangs is given up at the limit, or when the signal is aborted; what it says
 * later is dropped.
 *
 * @throws {WaitedTooLong} after `limitSeconds`
 * @throws the signal's reason, when it is aborted
 */
export async function waitUntil<T>(
  what: string,
  options: WaitOptions,
  probe: () => Promise<Seen<T>>,
): Promise<T> {
  const end = performance.now() + options.limitSeconds * 1000
  for (let reason = 'nothing yet'; ;) {
    options.signal?.throwIfAborted()
    const look = probe().catch((error: unknown): Seen<T> => ({ not: messageOf(error) }))
    const seen = await withinLimit(look, end - performance.now(), reason, options.signal)
    if ('value' in seen) return seen.value
    if (seen.not !== reason) {
      reason = seen.not
      options.stage?.waiting(`${what}: ${reason}`, options.limitSeconds)
    }
    if (performance.now() >= end) throw new WaitedTooLong(what, reason, options.limitSeconds)
    await sleep(Math.min(options.everyMs ?? 250, Math.max(0, end - performance.now())), options.signal)
  }
}

/** Gives what `look` saw, or the last `reason` once `milliseconds` have passed. `look` itself never rejects. */
function withinLimit<T>(
  look: Promise<Seen<T>>,
  milliseconds: number,
  reason: string,
  signal: AbortSignal | undefined,
): Promise<Seen<T>> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const late = Math.min(Math.max(milliseconds, LEAST_LOOK_MS), LONGEST_TIMER_MS)
    const timer = setTimeout(() => settle({ not: reason }), late)
    signal?.addEventListener('abort', abort, { once: true })
    void look.then(settle)
    function settle(seen: Seen<T>) {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      resolve(seen)
    }
    function abort() {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
  })
}

/** What even the last look is given, so that a probe which answers at once is heard on a busy machine. */
const LEAST_LOOK_MS = 20
/** A longer timer would fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Resolves after `milliseconds`; rejects with the signal's reason when it is aborted before. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const timer = setTimeout(finish, Math.min(milliseconds, LONGEST_TIMER_MS))
    signal?.addEventListener('abort', abort, { once: true })
    function finish() {
      signal?.removeEventListener('abort', abort)
      resolve()
    }
    function abort() {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
  })
}

/** The reason of anything thrown, in our own sentences where it is of the host. */
export function messageOf(error: unknown): string {
  return reasonOf(error)
}
