// A machine's power supply: what it does about orders that arrive while the machine starts, runs, shuts down or is
// reset. The supervisor gives it a machine and a place for its state; `lab/power.ts` gives the orders.

import { messageOf } from '#progress/wait.ts'
import type { PowerOrder, PowerState } from '../state.ts'
import type { RunningMachine } from './hardware.ts'

/** What a supply needs of its surroundings. */
export type SupplyNeeds = {
  /** Gives the machine power. */
  start(): Promise<RunningMachine>
  /** Removes what a machine leaves behind that has lost its power or starts over. */
  clean(): Promise<void>
  /** Keeps the state for other processes; called at every change. */
  keep(state: Omit<PowerState, 'supervisor'>): void
  /** Prints the supply's own line on the machine's console. */
  say(line: string): void
}

/** A shutdown that goes on: until when it may, in milliseconds of the epoch; `isCut`: it may not, or no longer. */
type Ending = { readonly until: number; isCut: boolean; timer?: NodeJS.Timeout }

/**
 * One machine, from the order that switches it on until it is off. Of several orders the last one decides what the
 * machine is afterwards; a shutdown that has begun is not taken back, and its limit never moves to later.
 */
export class PowerSupply {
  readonly #needs: SupplyNeeds
  #phase: 'starting' | 'running' | 'between' | 'over' = 'starting'
  #running: RunningMachine | undefined
  #order: number
  #starts = 0
  #since = new Date().toISOString()
  /** What the machine is after it has lost its power; undefined: as it asks itself, by a reboot or a power-off. */
  #next: 'on' | 'off' | undefined
  #ending: Ending | undefined

  /** `order` is the number of the one that it was started by. */
  constructor(order: number, needs: SupplyNeeds) {
    this.#order = order
    this.#needs = needs
  }

  /**
   * Does what is ordered, or arranges that it will be done; then the state has the order's number. A supply that is
   * about to end takes no order, so its state never has the number: who gave it starts another supply.
   */
  take(order: PowerOrder): void {
    if (order.number <= this.#order || this.#phase === 'over') return
    this.#order = order.number
    if (this.#phase === 'between') this.#next = order.verb === 'off' ? 'off' : 'on'
    else {
      if (order.verb === 'reset') this.#reset()
      else if (order.verb !== 'on') this.#end(order)
      if (this.#ending) this.#next = order.verb === 'off' ? 'off' : 'on'
    }
    this.#keep()
  }

  /** Gives the machine power until it is off. */
  async run(): Promise<void> {
    let how: 'shut down' | 'cut' | 'failed' = 'failed'
    try {
      do how = await this.#once()
      while (await this.#again())
    } catch (error) {
      this.#needs.say(`No power: ${messageOf(error)}`)
      throw error
    } finally {
      this.#phase = 'over'
      this.#stopTimer()
      await this.#needs.clean()
      this.#needs.say(how === 'cut' ? 'Power off, cut' : 'Power off')
      this.#keep({ at: new Date().toISOString(), how })
    }
  }

  /** One time from power-on to the end; says how it ended. */
  async #once(): Promise<'shut down' | 'cut'> {
    this.#phase = 'starting'
    const running = await this.#needs.start()
    this.#phase = 'running'
    this.#running = running
    this.#starts += 1
    this.#since = new Date().toISOString()
    if (this.#ending) this.#begin(this.#ending) // ordered while it started
    this.#keep()
    const asked = await running.ended
    this.#phase = 'between'
    this.#running = undefined
    this.#stopTimer()
    const isCut = this.#ending?.isCut ?? false
    this.#ending = undefined
    this.#next ??= asked === 'reset' ? 'on' : 'off'
    return isCut ? 'cut' : 'shut down'
  }

  /** Says whether it gets power again, once what was left of it is removed. */
  async #again(): Promise<boolean> {
    if (this.#next === 'on') {
      await this.#needs.clean()
      if (this.#next === 'on') this.#needs.say('Reset')
    }
    const again = this.#next === 'on'
    if (!again) this.#phase = 'over' // before anything is awaited: no order is taken after this
    this.#next = undefined
    return again
  }

  #end({ hard, graceSeconds }: Pick<PowerOrder, 'hard' | 'graceSeconds'>): void {
    const until = Date.now() + (hard ? 0 : graceSeconds * 1000)
    if (this.#ending && (this.#ending.isCut || (!hard && this.#ending.until <= until))) return
    this.#stopTimer()
    this.#ending = { until, isCut: hard || graceSeconds === 0 }
    if (this.#running) this.#begin(this.#ending)
  }

  #begin(ending: Ending): void {
    if (ending.isCut) return this.#cut('Its power is cut')
    this.#running?.pressPower()
    ending.timer = setTimeout(
      () => {
        ending.isCut = true
        this.#cut('It did not shut down in time: its power is cut')
        this.#keep()
      },
      Math.max(0, ending.until - Date.now()),
    )
  }

  #cut(line: string): void {
    this.#running?.cutPower()
    this.#needs.say(line)
  }

  /** The reset button: nothing is shut down. */
  #reset(): void {
    if (this.#phase === 'starting') return // nothing of it runs yet
    if (this.#ending === undefined && this.#running?.reset?.()) this.#starts += 1
    else this.#end({ hard: true, graceSeconds: 0 })
  }

  #stopTimer(): void {
    clearTimeout(this.#ending?.timer)
  }

  #keep(ended?: PowerState['ended']): void {
    const ending = this.#ending && {
      until: new Date(this.#ending.until).toISOString(),
      next: this.#next ?? 'off',
    }
    this.#needs.keep({
      order: this.#order,
      starts: this.#starts,
      since: this.#since,
      ...(ending && { ending }),
      ...(ended && { ended }),
    })
  }
}
