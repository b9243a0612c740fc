// Machines whose next boot an operator opened, and until when: each ends by itself at the site's deadline.

import type { Machine } from '#model/machine.ts'
import { NotReopened } from './errors.ts'
import type { MachineRecord, MachineRecords, Reopening } from '../store/machine-records.ts'
import { trustOf } from './trust.ts'
import type { Clocks, HostClock } from '../process/clock.ts'

/** The machines that are open. */
export class Reopenings {
  readonly #store: Pick<MachineRecords, 'change'>
  readonly #clocks: Clocks
  /** The reopenings in the store, by machine. */
  readonly #kept: ReadonlyMap<string, Reopening>
  /** When this process opened each machine, by the steady clock. */
  readonly #opened = new Map<string, { readonly until: number; readonly steady: number }>()
  readonly #host: HostClock

  /** @param kept what was opened, also when its time is over, followed by who gives it */
  constructor(
    store: Pick<MachineRecords, 'change'>,
    kept: ReadonlyMap<string, Reopening>,
    clocks: Clocks,
    host: HostClock,
  ) {
    this.#store = store
    this.#kept = kept
    this.#clocks = clocks
    this.#host = host
  }

  /** Opens the next boot of a machine until the site's deadline, in place of an earlier reopening; on disk when it resolves. */
  async open(machine: Machine, who: string): Promise<Reopening> {
    const at = this.#clocks.wall()
    const until = at + trustOf(machine).deadlineMinutes * 60_000
    const made = { run: this.#host.run, at: this.#host.now() }
    const opened = { machine: machine.name, at, until, who, made }
    const steady = this.#clocks.steady()
    await this.#store.change(machine.name, record => record.reopen(opened))
    this.#opened.set(machine.name, { until, steady })
    return opened
  }

  /**
   * Closes a machine before its time; on disk when it resolves. Gives what was closed.
   *
   * @throws {NotReopened} 404, when it is not open
   */
  async close(machine: string): Promise<Reopening> {
    const closed = await this.#store.change(machine, record => {
      const opened = this.#current(record.reopening())
      if (opened !== undefined) record.closeReopened()
      return opened
    })
    if (closed === undefined) throw new NotReopened(machine)
    return closed
  }

  /** The reopening of a machine, as long as it is open; `until` is by the wall clock of now. */
  of(machine: string): Reopening | undefined {
    return this.#current(this.#kept.get(machine))
  }

  /** All machines that are open. */
  all(): Reopening[] {
    return [...this.#kept.values()].flatMap(it => this.#current(it) ?? [])
  }

  /** Says whether a boot is one that the machine is open for, by its record. */
  isOpen(record: Pick<MachineRecord, 'isReopened' | 'reopening'>, boot: string): boolean {
    return record.isReopened(boot) && this.#current(record.reopening()) !== undefined
  }

  /** Removes the reopenings that have expired and returns them; on disk when it resolves. */
  async removeEnded(): Promise<Reopening[]> {
    const ended: Reopening[] = []
    for (const { machine } of [...this.#kept.values()].filter(it => this.#leftMs(it) <= 0)) {
      const removed = await this.#store.change(machine, record => {
        const opened = record.reopening() // an operator may have opened it again
        if (opened === undefined || this.#leftMs(opened) > 0) return undefined
        record.closeReopened()
        return opened
      })
      if (removed === undefined) continue
      this.#opened.delete(machine)
      ended.push(removed)
    }
    return ended
  }

  #current(kept: Reopening | undefined): Reopening | undefined {
    const left = kept === undefined ? 0 : this.#leftMs(kept)
    return kept !== undefined && left > 0 ? { ...kept, until: this.#clocks.wall() + left } : undefined
  }

  /**
   * By the steady clock; one of an earlier process by the clock of the host, which cannot be set. One of an earlier run of the host
   * is as old as this run at least, and the wall clock can only shorten that: it must show a time after the opening. So it may
   * be over too early, and an operator opens the machine again.
   */
  #leftMs({ machine, at, until, made }: Reopening): number {
    const opened = this.#opened.get(machine)
    const whole = until - at
    if (opened?.until === until) return whole - (this.#clocks.steady() - opened.steady)
    const now = this.#host.now()
    if (made?.run === this.#host.run) return whole - (now - made.at)
    const wall = this.#clocks.wall()
    return wall < at ? 0 : Math.min(whole - now, until - wall)
  }
}
