// Which installed machines still ask what is ordered for them. One that lost its power asks nothing, while its journal shows `ready`
// until its next boot.

/**
 * After so long without a question a machine counts as off. It asks once a minute (images/live/root/usr/lib/pilotlight/orders), and every
 * two while the server does not answer.
 */
const SILENT_MS = 5 * 60_000

/** A controller of a site, as it counts for the quorum of etcd. */
export type Controller = {
  readonly name: string
  /** It was ready in its last boot, and is not silent. */
  readonly runs: boolean
  /** It was ready, and does not ask any more. */
  readonly isSilent: boolean
}

/** The controllers of the site of a machine. */
export type ControllersOf = (machine: string) => readonly Controller[]

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

/** What a refusal says of controllers that are silent, as a sentence; empty where none is. */
export function silentText(controllers: readonly Controller[]): string {
  const names = controllers.flatMap(({ name, isSilent }) => (isSilent ? [name] : []))
  if (names.length === 0) return ''
  const have = names.length === 1 ? 'has' : 'have'
  return `${names.join(', ')} ${have} not asked for orders for ${SILENT_MS / 60_000} minutes, and may be off. `
}
