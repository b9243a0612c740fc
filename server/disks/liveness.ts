// Which installed machines still ask what is ordered for them. One that lost its power asks nothing, while its journal shows `ready`
// until its next boot.

/**
 * After so long without a question a machine counts as off. It asks once a minute (images/live/root/usr/lib/pilotlight/orders), and every
 * two while the server does not answer.
 */
export const SILENT_MS = 5 * 60_000

/** When machines asked last. */
export class Liveness {
  readonly #clock: () => number
  readonly #began: number
  readonly #asked = new Map<string, number>()
  /** The start of its kernel that each was ready in, and when that asked last. */
  readonly #ready = new Map<string, { readonly kernel: string; readonly at: number }>()

  /** @param clock steady, in milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock
    this.#began = clock()
  }

  /**
   * A declared machine asked, or was ready, by a token that speaks for it.
   *
   * @param by the start of its kernel, and whether the journal shows the machine as ready now
   */
  heard(machine: string, by?: { readonly kernel: string; readonly isReady: boolean }): void {
    const at = this.#clock()
    this.#asked.set(machine, at)
    if (by === undefined) return
    const { kernel, isReady } = by
    if (isReady || this.#ready.get(machine)?.kernel === kernel) this.#ready.set(machine, { kernel, at })
  }

  /** A machine reports that it starts, or that it failed. */
  began(machine: string): void {
    this.#ready.delete(machine)
  }

  /**
   * Says whether the kernel that the machine was ready in asked within the last `ms`. So a boot that began before that is not the
   * machine's: anyone can fetch its script and its config.
   */
  isReadySince(machine: string, ms: number): boolean {
    const ready = this.#ready.get(machine)
    return ready !== undefined && this.#clock() - ready.at < Math.min(ms, SILENT_MS)
  }

  /** Says whether a machine asked lately. At the start of the server each counts as one that just did. */
  isHeard(machine: string): boolean {
    return this.#clock() - (this.#asked.get(machine) ?? this.#began) <= SILENT_MS
  }
}
