// What an operator orders for the disks of machines: that the next network boot installs anew, or erases.

import type { BootOrderVerb, Order } from '#model/install.ts'
import type { Machine } from '#model/machine.ts'
import { BreaksQuorum, NoDisk, NoOrder, TooManyDisks, WrongCount } from './errors.ts'
import type { Journal } from '../machines/journal.ts'
import type { MachineRecords } from '../store/machine-records.ts'
import { isAway, orderView, unfinishedOrder } from './install-views.ts'
import type { KeptOrders, Placement } from './kept-orders.ts'
import type { ControllersOf } from './controllers.ts'
import type { LocalBoots } from './local-boots.ts'

/** How long an order waits for the network boot that spends it: one that is forgotten must not erase a disk weeks later. */
const ORDER_HOURS = 24
/** How many machines may wait to lose their disks at the same time: more than a rack has, and not a whole site by one mistake. */
const MOST_DISKS = 100
/** What the orders need from the service. */
export type OrderNeeds = {
  readonly store: Pick<MachineRecords, 'change'>
  readonly kept: Pick<KeptOrders, 'placeAll' | 'current' | 'order' | 'all' | 'leaving'>
  readonly localBoots: Pick<LocalBoots, 'forget'>
  readonly journal: Pick<Journal, 'record'>
  readonly controllersOf: ControllersOf
}

/** What an operator orders. */
export type Ordered = {
  readonly verb: BootOrderVerb
  readonly machines: readonly Machine[]
  /** How many machines the operator says that these are. */
  readonly count: number
  /** The cluster's etcd may lose its quorum by it. */
  readonly breakQuorum?: boolean | undefined
  /** Also a boot spends it that does not show the machine's key. */
  readonly withoutProof?: boolean | undefined
  readonly who: string
}

/** Orders by operators. */
export class Orders {
  readonly #needs: OrderNeeds

  constructor(needs: OrderNeeds) {
    this.#needs = needs
  }

  /**
   * An operator orders what the next network boot of machines does with their disks; on disk when it resolves. All of it is
   * refused, or nothing.
   *
   * @throws {WrongCount} 409, when they are not as many as the operator says; {TooManyDisks} {NoDisk} {BreaksQuorum} 409
   */
  async take({ verb, machines, count, breakQuorum = false, withoutProof, who }: Ordered): Promise<Order[]> {
    const { kept, localBoots } = this.#needs
    const names = new Set(machines.map(({ name }) => name))
    if (names.size !== count) throw new WrongCount(verb, names.size, count)
    const waiting = kept.all().filter(it => it.verb !== 'upgrade' && !names.has(it.machine)).length
    if (names.size + waiting > MOST_DISKS) throw new TooManyDisks(verb, names.size, waiting, MOST_DISKS)
    const diskless = machines.find(({ disk }) => disk === undefined || disk === 'none')
    if (diskless !== undefined) throw new NoDisk(diskless.name)
    if (!breakQuorum) this.#requireQuorum(verb, names)
    const added = [...names].filter(name => !kept.leaving.has(name))
    for (const name of added) kept.leaving.add(name)
    let placed: Placement[]
    try {
      const what = { verb, who, ...(withoutProof === true && { withoutProof }) }
      placed = await kept.placeAll(new Map([...names].map(name => [name, what])), ORDER_HOURS)
    } finally {
      for (const name of added) kept.leaving.delete(name)
    }
    const replaced = new Map(
      placed.flatMap(({ order, replaced: was }) =>
        was !== undefined && was.verb !== verb ? [[order.machine, was.verb]] : [],
      ),
    )
    for (const name of names) localBoots.forget(name)
    for (const { name, macs } of machines) {
      const text =
        `${who} ordered${insteadOf(replaced.get(name))}: the next network boot of ${name} ${verb === 'wipe' ? 'erases its disk' : 'installs it anew, and what its disk holds is lost'}. ` +
        `To take it back:  pilotlight ${verb} ${name} --undo`
      this.#record(name, macs, 'ordered', text)
    }
    return placed.map(({ order }) => {
      const was = replaced.get(order.machine)
      return was === undefined ? order : { ...order, replaced: was }
    })
  }

  /**
   * An operator takes an order back; on disk when it resolves. Also what a boot was granted by it and has not finished: no later
   * boot goes on with that, and nothing more is overwritten by it.
   *
   * @throws {NoOrder} 404
   */
  async undo({ name, macs }: Machine, who: string): Promise<Order> {
    const ended = await this.#needs.store.change(name, record => {
      const disk = record.disk()
      const order = this.#needs.kept.current(disk.order)
      if (order !== undefined) record.endOrder()
      const granted = unfinishedOrder(disk)
      if (granted === undefined) return { order: order && orderView(order) }
      const { orderedBy: by = who, ...rest } = granted
      record.putInstall({ ...rest, overwrite: false })
      const { boot, grantedAt: at } = granted
      const until = at + ORDER_HOURS * 3_600_000
      const view: Order = { machine: name, verb: 'reinstall', at, until, who: by, boot }
      return { order: order === undefined ? view : orderView(order), boot }
    })
    const { order, boot } = ended
    if (order === undefined) throw new NoOrder(name)
    const begun = boot === undefined ? '' : `, also what boot ${boot} was granted by it and did not finish`
    this.#record(
      name,
      macs,
      'ordered',
      `${who} took back what ${order.who} had ordered: ${order.verb}${begun}`,
    )
    return order
  }

  /** Refuses orders after which fewer controllers of a site run, with their disks, than etcd needs. */
  #requireQuorum(verb: BootOrderVerb, names: ReadonlySet<string>): void {
    for (const name of names) {
      const controllers = this.#needs.controllersOf(name)
      if (!controllers.some(one => one.name === name)) continue
      const needed = Math.floor(controllers.length / 2) + 1
      const left = controllers.filter(one => one.runs && !names.has(one.name) && !this.#isAway(one.name))
      if (left.length < needed) throw new BreaksQuorum(verb, name, { controllers, left: left.length, needed })
    }
  }

  #isAway(name: string): boolean {
    const { kept } = this.#needs
    return kept.leaving.has(name) || isAway(kept.order(name))
  }

  #record(name: string, macs: readonly string[], kind: string, text: string): void {
    const { journal } = this.#needs
    const [first] = macs
    if (first !== undefined) journal.record({ mac: first, machine: name, layer: 'http', kind, text })
  }
}

function insteadOf(verb: string | undefined): string {
  return verb === undefined ? '' : `, in place of the ${verb} that waited`
}
