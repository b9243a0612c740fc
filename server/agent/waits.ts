// When machines began to wait for an operator, so that every wait ends. The clock is one that cannot be set; a restart of
// the server starts the waits again.

/** How many waits of a machine are kept; the one asked for longest ago is dropped. */
const REMEMBERED = 16

type Wait = { readonly what: string; readonly since: number }

/** What waits, of each machine. */
export class Waits {
  readonly #steady: () => number
  readonly #waits = new Map<string, readonly Wait[]>()

  /** @param steady milliseconds that only grow */
  constructor(steady: () => number) {
    this.#steady = steady
  }

  /** Says whether something of a machine has waited for longer than its limit; it begins to wait when it is asked for first. */
  isOver(machine: string, what: string, limitMinutes: number): boolean {
    const now = this.#steady()
    const waits = this.#waits.get(machine) ?? []
    const wait = waits.find(it => it.what === what) ?? { what, since: now }
    this.#waits.set(machine, [wait, ...waits.filter(it => it !== wait)].slice(0, REMEMBERED))
    return now - wait.since > limitMinutes * 60_000
  }

  /** Says the same of what waits already; it begins no wait, and keeps none. */
  hasBeenOver(machine: string, what: string, limitMinutes: number): boolean {
    const wait = this.#waits.get(machine)?.find(it => it.what === what)
    return wait !== undefined && this.#steady() - wait.since > limitMinutes * 60_000
  }

  /** Nothing of the machine waits any longer. */
  end(machine: string): void {
    this.#waits.delete(machine)
  }
}
