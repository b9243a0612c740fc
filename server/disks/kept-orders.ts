// Orders for the disks of machines: kept until they are spent, or their time is over.

import type { Order } from '#model/install.ts'
import type { Clocks, HostClock } from '../process/clock.ts'
import type { DiskRecord, KeptOrder, MachineRecords } from '../store/machine-records.ts'
import { refusalOf } from '../store/refusable.ts'
import { orderView } from './install-views.ts'

/** What the kept orders need from the service. */
export type KeptOrderNeeds = {
  readonly store: Pick<MachineRecords, 'change'>
  /** What is known of the disks of machines, as it is on disk. */
  readonly disks: ReadonlyMap<string, DiskRecord>
  readonly clocks: Clocks
  readonly host: HostClock
}

/** What is ordered for one machine. */
type Placed = Omit<Order, 'machine' | 'at' | 'until'>

/** An order that was placed, and what it took the place of. */
export type Placement = { readonly order: Order; readonly replaced?: Order }

/** Throws where an order must not take the place of what is ordered for a machine as it is placed. */
type Check = (machine: string, present: Order | undefined) => void

type Kept = Placement & { readonly kept: KeptOrder; readonly before: KeptOrder | undefined }

/** The orders of all machines, one of each at most. */
export class KeptOrders {
  readonly #needs: KeptOrderNeeds
  /** When this process took each order, by the steady clock. */
  readonly #taken = new Map<string, { readonly until: number; readonly steady: number }>()

  constructor(needs: KeptOrderNeeds) {
    this.#needs = needs
  }

  /**
   * Machines that stop by an order which is being checked and written down. A check of the quorum adds them before it awaits
   * anything, so that two operators at the same time cannot stop two controllers of three.
   */
  readonly leaving = new Set<string>()

  async #place(machine: string, what: Placed, hours: number, check?: Check): Promise<Kept> {
    const { store, clocks, host } = this.#needs
    const at = clocks.wall()
    const until = at + hours * 3_600_000
    const made = { run: host.run, at: host.now() }
    const steady = clocks.steady()
    const order: KeptOrder = { machine, at, until, made, ...what }
    // In the step: another order may have been placed since the operator's was looked at.
    const done = await store.change(machine, record =>
      refusalOf(() => {
        const before = record.disk().order
        const current = this.current(before)
        const present = current && orderView(current)
        check?.(machine, present)
        record.putOrder(order)
        return { before, present }
      }),
    )
    if ('refusal' in done) throw done.refusal
    this.#taken.set(machine, { until, steady })
    const { before, present } = done.value
    return { kept: order, before, order: orderView(order), ...(present && { replaced: present }) }
  }

  /**
   * Keeps an order of each machine for some hours from now, in place of what was ordered before, or of none of them; on disk when
   * it resolves. `check` looks at what is ordered for each in the very step that replaces it.
   */
  async placeAll(orders: ReadonlyMap<string, Placed>, hours: number, check?: Check): Promise<Placement[]> {
    // All begin before one ends: the store keeps them in one commit.
    const placed = await Promise.allSettled(
      [...orders].map(([name, what]) => this.#place(name, what, hours, check)),
    )
    const failed = placed.find(one => one.status === 'rejected')
    const written = placed.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
    if (failed === undefined) return written
    await Promise.allSettled(written.map(one => this.#putBack(one)))
    throw failed.reason
  }

  #putBack({ kept, before }: Kept): Promise<void> {
    return this.#needs.store.change(kept.machine, record => {
      const { order } = record.disk()
      const isSame = order?.verb === kept.verb && order.at === kept.at && order.who === kept.who
      if (!isSame || order.boot !== undefined) return // a boot spent it meanwhile, or another one took its place
      if (before === undefined) record.endOrder()
      else record.putOrder(before)
    })
  }

  /** What is ordered for a machine, as long as it may be spent. */
  order(machine: string): Order | undefined {
    const order = this.current(this.#needs.disks.get(machine)?.order)
    return order && orderView(order)
  }

  /** All orders that may be spent, by the machines' names. */
  all(): Order[] {
    return [...this.#needs.disks.keys()].toSorted().flatMap(name => this.order(name) ?? [])
  }

  /**
   * The order, if its time is not over. By the clock of the host, which cannot be set: an order of an earlier run of the host is as old
   * as this run at least.
   */
  current(order: KeptOrder | undefined): KeptOrder | undefined {
    if (order === undefined) return undefined
    const { clocks, host } = this.#needs
    const { at, until, made } = order
    const whole = until - at
    const taken = this.#taken.get(order.machine)
    const now = host.now()
    const wall = clocks.wall()
    const left =
      taken?.until === until
        ? whole - (clocks.steady() - taken.steady)
        : made.run === host.run
          ? whole - (now - made.at)
          : wall < at
            ? 0
            : Math.min(whole - now, until - wall)
    return left > 0 ? order : undefined
  }
}
