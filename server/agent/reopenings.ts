// Machines whose next boot an operator opened, and until when: each ends by itself at the site's deadline.

import type { Machine } from '#model/machine.ts'
import { NotReopened } from '../errors.ts'
import type { Reopening, Store } from '../store/store.ts'
import { trustOf } from './trust.ts'
import type { Clocks, HostClock } from '../process/clocks.ts'

/** What reopenings are kept in. */
export type ReopeningStore = Pick<Store, 'reopenMachine' | 'reopenings' | 'isReopened' | 'closeReopened'>

/** The machines that are open. */
export class Reopenings {
  readonly #store: ReopeningStore
  readonly #clocks: Clocks
  /** When those of this process were opened, by the steady clock. */
  readonly #opened = new Map<string, number>()
  readonly #host: HostClock

  constructor(store: ReopeningStore, clocks: Clocks, host: HostClock) {
    this.#store = store
    this.#clocks = clocks
    this.#host = host
  }

  /** Opens the next boot of a machine until the site's deadline, in place of an earlier reopening; on disk when it returns. */
  open(machine: Machine, who: string): Reopening {
    const at = this.#clocks.wall()
    const until = at + trustOf(machine).deadlineMinutes * 60_000
    const made = { run: this.#host.run, at: this.#host.now() }
    const opened = { machine: machine.name, at, until, who, made }
    this.#store.reopenMachine(opened)
    this.#opened.set(machine.name, this.#clocks.steady())
    return opened
  }

  /**
   * Closes a machine before its time; on disk when it returns. Gives what was closed.
   *
   * @throws {NotReopened} 404, when it is not open
   */
  close(machine: string): Reopening {
    const opened = this.of(machine)
    if (opened === undefined) throw new NotReopened(machine)
    this.#store.closeReopened(machine)
    return opened
  }

  /** The reopening of a machine, as long as it is open; `until` is by the wall clock of now. */
  of(machine: string): Reopening | undefined {
    return this.#store.reopenings(machine).flatMap(it => this.#current(it))[0]
  }

  /** All machines that are open. */
  all(): Reopening[] {
    return this.#store.reopenings().flatMap(it => this.#current(it))
  }

  /** Says whether a boot is one that the machine is open for. */
  isOpen(machine: string, boot: string): boolean {
    return this.#store.isReopened(machine, boot) && this.of(machine) !== undefined
  }

  /** Removes those whose time is over, and gives them; on disk when it returns. */
  removeEnded(): Reopening[] {
    const ended = this.#store.reopenings().filter(it => this.#leftMs(it) <= 0)
    for (const { machine } of ended) {
      this.#store.closeReopened(machine)
      this.#opened.delete(machine)
    }
    return ended
  }

  #current(kept: Reopening): Reopening[] {
    const left = this.#leftMs(kept)
    return left > 0 ? [{ ...kept, until: this.#clocks.wall() + left }] : []
  }

  /**
   * By the steady clock; one of an earlier process by the clock of the host, which cannot be set. One of an earlier run of the host
   * is as old as this run at least, and the wall clock can only shorten that: it must show a time after the opening. So it may
   * be over too early, and an operator opens the machine again.
   */
  #leftMs({ machine, at, until, made }: Reopening): number {
    const opened = this.#opened.get(machine)
    const whole = until - at
    if (opened !== undefined) return whole - (this.#clocks.steady() - opened)
    const now = this.#host.now()
    if (made?.run === this.#host.run) return whole - (now - made.at)
    const wall = this.#clocks.wall()
    return wall < at ? 0 : Math.min(whole - now, until - wall)
  }
}
