// The clock of this process, which goes on evenly when a person or NTP sets the host's clock, and reports by how much that was;
// and the clock of the host's kernel, which runs from boot to boot: restarts of the server are nothing to it.

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import type { Log } from '../log.ts'
import type { Parts } from './parts.ts'

/** Two clocks, in milliseconds: since 1970, which may be set at any time; and one that only grows. */
export type Clocks = { readonly wall: () => number; readonly steady: () => number }

/** How often the two clocks are compared. */
const COMPARE_MS = 5000
/** Further apart than this the host's clock was set; below, it is slewed, and followed silently. */
const JUMP_MS = 2000
/** Where Linux names the boot of its kernel; a unit whose `ProcSubset=pid` hides it says the same in PILOTLIGHT_BOOT_ID. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

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

/** The clock of a host that runs, and which run it is: ages can be counted with it across restarts of the server. */
export type HostClock = {
  /** Names one boot of the host's kernel. */
  readonly run: string
  /** Milliseconds since that boot, suspends included; it cannot be set. */
  readonly now: () => number
}

/** The clock of this host. Where the kernel does not name its boot, each process counts as another one. */
export function hostClock(): HostClock {
  return { run: bootIdOf() ?? randomUUID(), now: () => Math.round(uptime() * 1000) }
}

function bootIdOf(): string | undefined {
  const { PILOTLIGHT_BOOT_ID: given } = process.env
  if (given) return given
  try {
    return readFileSync(BOOT_ID, 'utf8').trim()
  } catch {
    return undefined // another system than Linux, or one without /proc
  }
}
