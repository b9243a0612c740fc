// Machines whose next boot an operator opened, and until when: each ends by itself at the site's deadline.

import { NotReopened } from '../errors.ts'
import type { Machine } from '#model/machine.ts'
import type { Reopening, Store } from '../inventory/store.ts'
import { trustOf } from '../inventory/trust.ts'
import type { Clocks } from './clocks.ts'

/** What reopenings are kept in. */
export type ReopeningStore = Pick<Store, 'reopenMachine' | 'reopenings' | 'isReopened' | 'closeReopened'>

/** The machines that are open. */
export class Reopenings {
  readonly #store: ReopeningStore
  readonly #clocks: Clocks
  /** When those of this process were opened, by the steady clock. */
  readonly #opened = new Map<string, number>()
  readonly #started: number

  constructor(store: ReopeningStore, clocks: Clocks) {
    this.#store = store
    this.#clocks = clocks
    this.#started = clocks.steady()
  }

  /** Opens the next boot of a machine until the site's deadline, in place of an earlier reopening; on disk when it returns. */
  open(machine: Machine, who: string): Reopening {
    const at = this.#clocks.wall()
    const opened = { machine: machine.name, at, until: at + trustOf(machine).deadlineMinutes * 60_000, who }
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
   * By the steady clock. One of an earlier process lasts no longer than this one runs, nor than the wall clock says: it may be
   * over too early when that was set ahead, and an operator opens the machine again.
   */
  #leftMs({ machine, at, until }: Reopening): number {
    const opened = this.#opened.get(machine)
    const steady = this.#clocks.steady()
    const whole = until - at
    if (opened !== undefined) return whole - (steady - opened)
    return Math.min(whole - (steady - this.#started), until - this.#clocks.wall())
  }
}
