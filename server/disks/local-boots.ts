// Which machines are sent to their own disks when they ask for a script, and what follows where a disk did not start one.

import type { Installed } from '#model/install.ts'
import type { Machine } from '#model/machine.ts'
import type { Clocks } from '../process/clock.ts'
import { confirmedIn, type DiskRecord } from '../store/machine-records.ts'
import { ByAddress } from '../limits/by-address.ts'
import { isRecent } from './install-decision.ts'
import { installedView, unfinishedOrder } from './install-views.ts'
import type { KeptOrders } from './kept-orders.ts'

/** Local boots in a row of which nothing was heard, after which the machine gets its profile and enters its disk from there. */
const LOCAL_BOOTS = 2
/** A machine that asks for its script within this time after it was sent to its disk did not start from it. */
const LOCAL_BOOT_MS = 15 * 60_000
/** Within this time it is still the same boot: firmware tries each of its ways into the network (IPv4, IPv6, HTTP) before the disk. */
const ONE_BOOT_MS = 2 * 60_000

/** Within this time after a machine was sent to its disk, its firmware may still be on its way there. */
const WAY_MS = 5 * 60_000

/** In the place of an address: the machine's own, or one that DHCP shows to be. */
const DECLARED = ''

/** What the local boots need from the service. */
export type LocalBootNeeds = {
  /** What is known of the disks of machines, as it is on disk. */
  readonly disks: ReadonlyMap<string, DiskRecord>
  readonly orders: Pick<KeptOrders, 'current'>
  readonly clocks: Clocks
}

/** Where a machine boots from when it asks for its script, and why it does not boot from its disk. */
export type BootFrom = { readonly from: 'disk'; readonly installed: Installed } | { readonly from: 'network' }

/** How often in a row a machine was sent to its disk, when it asked last, and where it was sent then. */
type Sent = { readonly times: number; readonly at: number; readonly last: BootFrom['from'] }

/** The boots from their disks of all machines. */
export class LocalBoots {
  readonly #needs: LocalBootNeeds
  /** Machines that were sent to their disks, and nothing was heard since; of each by the address that asked (`elsewhere`). */
  readonly #sent = new ByAddress<Sent>()

  constructor(needs: LocalBootNeeds) {
    this.#needs = needs
  }

  /**
   * Where a machine is to boot from. One that is installed boots from its disk: unless an order is to be spent, an ordered
   * install is not finished, the site says `disk: none` by now, or the disk did not start it twice in a row. Then it gets its
   * profile, whose initrd asks here; so nothing is ever installed by that.
   *
   * @param isAsking the machine itself asks, and is counted; else a person looks at what it would get
   * @param elsewhere where no DHCP shows whose it is: the address that asks, if that is not the declared one. It may be anyone's, so
   *   it is counted apart.
   */
  bootFrom({ name, disk }: Machine, isAsking: boolean, elsewhere = DECLARED): BootFrom {
    const known = this.#needs.disks.get(name)
    const confirmed = known && confirmedIn(known)
    const isDiskless = disk === undefined || disk === 'none'
    if (known === undefined || confirmed === undefined || isDiskless) return { from: 'network' }
    const order = this.#needs.orders.current(known.order)
    const unfinished = unfinishedOrder(known)
    const isBegun = unfinished !== undefined && isRecent(unfinished, this.#needs.clocks.wall())
    if ((order !== undefined && order.verb !== 'upgrade') || isBegun) return { from: 'network' }
    const now = this.#needs.clocks.steady()
    const sent = this.#sent.get(name, elsewhere)
    const since = sent === undefined ? Infinity : now - sent.at
    const times = sent !== undefined && since < LOCAL_BOOT_MS ? sent.times : 0
    const isSameBoot = sent?.last === 'disk' && since < ONE_BOOT_MS
    // Who asks beside the machine (a signature, a person) is shown what the machine was sent last.
    const isNetwork =
      isAsking || sent === undefined ? times >= LOCAL_BOOTS && !isSameBoot : sent.last === 'network'
    const from = isNetwork ? 'network' : 'disk'
    if (isAsking && !isSameBoot) {
      const next = { times: isNetwork ? times : times + 1, at: now, last: from } as const
      this.#sent.set(name, elsewhere, next, DECLARED)
    }
    return isNetwork ? { from: 'network' } : { from: 'disk', installed: installedView(confirmed) }
  }

  /**
   * Whether a machine was just sent to its disk, and nothing was heard since: what its firmware asks for now is on its way there.
   *
   * @param elsewhere as of `bootFrom`
   */
  isOnItsWay(name: string, elsewhere = DECLARED): boolean {
    const sent = this.#sent.get(name, elsewhere)
    return sent?.last === 'disk' && this.#needs.clocks.steady() - sent.at < WAY_MS
  }

  /** Counts anew: the machine started from wherever it was sent to, or it was ordered to boot from the network. */
  forget(machine: string): void {
    this.#sent.delete(machine)
  }
}
