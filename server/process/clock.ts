// The clock of this process: it goes on evenly when a person or NTP sets the host's clock, and reports by how much that was.

import type { Log } from '../log.ts'
import type { Clocks } from './clocks.ts'
import type { Parts } from './parts.ts'

/** How often the two clocks are compared. */
const COMPARE_MS = 5000
/** Further apart than this the host's clock was set; below, it is slewed, and followed silently. */
const JUMP_MS = 2000

/** Opens the clock of the process, and logs when the host's clock was set. */
export function openClock(log: Log, parts: Parts): ProcessClock {
  const clock = parts.add('the clock', new ProcessClock())
  clock.onJump(jumpMs => {
    log(
      'warn',
      `The host's clock was set by ${Math.round(jumpMs / 1000)} s. Leases keep the time that they have left.`,
    )
  })
  return clock
}

/** Milliseconds since 1970 that never jump while one thing is decided: leases live by it. */
export class ProcessClock {
  readonly #host: Clocks
  readonly #timer: NodeJS.Timeout
  readonly #listeners: ((jumpMs: number) => void)[] = []
  /** Milliseconds from the steady clock to the wall clock, as compared last. */
  #base: number

  constructor(host: Clocks = { wall: () => Date.now(), steady: () => performance.now() }) {
    this.#host = host
    this.#base = host.wall() - host.steady()
    this.#timer = setInterval(() => this.compare(), COMPARE_MS).unref()
  }

  /** Milliseconds since 1970, as the host's clock was when it was compared last. */
  now(): number {
    return Math.round(this.#base + this.#host.steady()) // whole, as the store keeps them
  }

  /** Calls `listener` with the milliseconds by which the host's clock was set; `now` follows after all listeners were called. */
  readonly onJump = (listener: (jumpMs: number) => void): void => {
    this.#listeners.push(listener)
  }

  /** Compares the two clocks; called by a timer. */
  compare(): void {
    const jumpMs = this.#host.wall() - this.now()
    if (Math.abs(jumpMs) > JUMP_MS) for (const listener of this.#listeners) listener(jumpMs)
    this.#base += jumpMs
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
