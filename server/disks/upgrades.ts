// Upgrades of the systems that run from disks: an operator orders one, the machine asks once a minute and carries it out, and
// an operator's command has it restart. The order is in the store, so each of the three may stop at any time.

import type { Order, OrderAnswer, OrderAsk } from '#model/install.ts'
import type { Machine } from '#model/machine.ts'
import type { ReadSlot } from '../assets/slots.ts'
import { SlotUnfit } from '../assets/errors.ts'
import {
  NoDisk,
  NoOrder,
  NotGoodYet,
  NotInstalled,
  NotWritten,
  OtherOrder,
  RestartBreaksQuorum,
  WrongCount,
} from './errors.ts'
import type { Journal } from '../machines/journal.ts'
import type { Occurrences } from '../machines/occurrences.ts'
import type { Clocks, HostClock } from '../process/clock.ts'
import {
  confirmedIn,
  type ChangingRecord,
  type DiskRecord,
  type MachineRecord,
  type MachineRecords,
} from '../store/machine-records.ts'
import { isOwnToken, type BootTokens } from '../agent/boot-tokens.ts'
import type { TokenHolder } from '../agent/token-holder.ts'
import { isAway, orderView } from './install-views.ts'
import type { Installs } from './installs.ts'
import type { KeptOrders } from './kept-orders.ts'
import type { ControllersOf } from './controllers.ts'
import type { Liveness } from './liveness.ts'
import { refusalOf } from '../store/refusable.ts'
import {
  AGAIN,
  afterReady,
  afterTime,
  isUpgrade,
  moved,
  stepUpgrade,
  type KeptUpgrade,
  type Now,
} from './upgrade-steps.ts'
import { keepLast } from '../limits/bounded.ts'

/** How long an upgrade waits for its machine: one that is off for a repair is upgraded when it is back. */
const UPGRADE_HOURS = 7 * 24
/** How many machines write at once. Each reads an image of 1 to 3 GB: at 1 Gbit/s eight have theirs in about three minutes. */
export const MOST_WRITING = 8
/** A machine that wrote, and did not ask for so long, holds no place: it is off. */
const SEAT_MS = 3 * 60_000
/** How many boots are remembered whose tokens get no order. */
const REMEMBERED = 10_000

/** How many images of a machine are remembered: its disk holds two. */
const ROOTHASHES_KEPT = 8

/** What the upgrades need from the service. */
export type UpgradeNeeds = {
  readonly store: Pick<MachineRecords, 'change'>
  readonly installs: Pick<Installs, 'installed'>
  readonly kept: Pick<KeptOrders, 'placeAll' | 'current' | 'order' | 'leaving'>
  /** What is known of the disks of machines, as it is on disk. */
  readonly disks: ReadonlyMap<string, DiskRecord>
  readonly tokens: Pick<BootTokens, 'goodIn' | 'isOwn' | 'speaks'>
  readonly journal: Pick<Journal, 'record' | 'macOf'>
  readonly alarms: Pick<Occurrences, 'raise'>
  readonly machineOf: (name: string) => Machine | undefined
  readonly controllersOf: ControllersOf
  /** Says whether the journal shows a machine as ready. */
  readonly isReady: (name: string) => boolean
  readonly liveness: Pick<Liveness, 'heard' | 'began'>
  readonly clocks: Clocks
  readonly host: HostClock
}

/** The image that a machine's profile boots, as a slot, and the address of its slot.json; undefined where it has none. */
export type ImageOf = (machine: Machine) => Promise<(ReadSlot & { readonly url: string }) | undefined>

/** What an operator orders. `healthySeconds`: how long after each of its starts the new image is marked good. */
export type UpgradeOrder = {
  readonly machines: readonly Machine[]
  readonly count: number
  readonly who: string
  readonly healthySeconds?: number | undefined
}

/** What a step of `ask` gives. */
type Asked = {
  readonly answer: OrderAnswer
  readonly before?: KeptUpgrade
  readonly after?: KeptUpgrade
  readonly isForeign?: boolean
}

/** Upgrades of all machines. */
export class Upgrades {
  readonly #needs: UpgradeNeeds
  /** The machines that write, and when each asked last, by the steady clock. */
  readonly #seats = new Map<string, number>()
  /** Boots with tokens that get no order, of which that was said. */
  readonly #refused = new Set<string>()

  constructor(needs: UpgradeNeeds) {
    this.#needs = needs
    const now = needs.clocks.steady()
    for (const [name, { order }] of needs.disks)
      if (isUpgrade(order) && order.state === 'writing') this.#seats.set(name, now)
  }

  /**
   * An operator orders that machines run the version of the assets; on disk when it resolves. All of it is refused, or
   * nothing. An upgrade to the same version goes on where it is, with the limits that it has; one that failed begins anew.
   *
   * @throws {WrongCount} {NoDisk} {NotInstalled} {OtherOrder} {NotGoodYet} 409; {SlotUnfit} 503
   */
  async take({ machines, count, who, healthySeconds }: UpgradeOrder, imageOf: ImageOf): Promise<Order[]> {
    const { installs, kept, clocks } = this.#needs
    const names = new Set(machines.map(({ name }) => name))
    if (names.size !== count) throw new WrongCount('upgrade', names.size, count)
    const targets = new Map<string, string>()
    for (const machine of machines) {
      const { name, disk } = machine
      if (disk === undefined || disk === 'none') throw new NoDisk(name)
      if (installs.installed(name) === undefined) throw new NotInstalled(name)
      const before = kept.order(name)
      if (before !== undefined && before.verb !== 'upgrade') throw new OtherOrder(name, before.verb)
      // It may take long, and others order meanwhile: what is ordered is looked at again as this is placed.
      const image = await imageOf(machine)
      if (image === undefined) throw new SlotUnfit(`the slot.json of ${name}'s image`, 'is not there')
      requireReplaceable(name, before, image.version)
      targets.set(name, image.version)
    }
    const healthy = healthySeconds === undefined ? {} : { healthySeconds }
    const isToPlace = ([name, target]: readonly [string, string]) => {
      const before = kept.order(name)
      return before?.target !== target || this.#isToBegin(name, before)
    }
    const what = { verb: 'upgrade', who, state: 'ordered', since: clocks.wall(), ...healthy } as const
    const toPlace = [...targets]
      .filter(isToPlace)
      .map(([name, target]) => [name, { ...what, target }] as const)
    const known = [...targets].flatMap(one => (isToPlace(one) ? [] : (kept.order(one[0]) ?? [])))
    const placements = await kept.placeAll(new Map(toPlace), UPGRADE_HOURS, (name, present) =>
      requireReplaceable(name, present, targets.get(name) ?? ''),
    )
    const placed = placements.map(({ order }) => order)
    for (const { machine, target } of placed) {
      const undo = `pilotlight upgrade os ${machine} --undo`
      this.#record(
        machine,
        'ordered',
        `${who} ordered: ${machine} is to run ${target}. To take it back:  ${undo}`,
      )
    }
    const orders = new Map([...known, ...placed].map(order => [order.machine, order]))
    return [...targets.keys()].flatMap(name => orders.get(name) ?? [])
  }

  /**
   * A system that runs from a disk asks what it is to do; what changes by that is on disk before it is answered. Only the
   * machine's own token counts: that of its bundle, or of a boot that was ready. For any other nothing is ordered.
   *
   * @throws {TokenExpired} 403, {UnknownToken} 401, when the token ended meanwhile
   */
  async ask(who: TokenHolder, asked: OrderAsk, imageOf: ImageOf): Promise<OrderAnswer> {
    const { store, kept, tokens, disks, liveness } = this.#needs
    const { machine, token } = who
    const { name } = machine
    // By any other token anyone may ask.
    if (await tokens.speaks(token))
      liveness.heard(name, { kernel: asked.kernel, isReady: this.#needs.isReady(name) })
    const nothing = { do: 'nothing', againSeconds: AGAIN.idle } as const
    const known = disks.get(name)?.order
    if (!isUpgrade(known) || kept.current(known) === undefined) return nothing
    const mayWrite = known.state === 'ordered' || known.state === 'writing'
    // By any other token anyone may ask: it takes no place, and frees none.
    const isOwn = await tokens.isOwn(token)
    const maySeat = isOwn && mayWrite && this.#takeSeat(name)
    const isAsking = maySeat && asked.version !== known.target && asked.doing !== 'writing'
    // What the assets cannot give now, they may later: the machine asks again.
    const image = isAsking ? await imageOf(machine).catch(() => undefined) : undefined
    const done = await store.change(name, record =>
      refusalOf((): Asked => {
        tokens.goodIn(record, token.hash)
        const order = record.disk().order
        if (!isUpgrade(order) || kept.current(order) === undefined) return { answer: nothing }
        if (!isOwnToken(record, token)) return { answer: nothing, isForeign: true }
        const facts = { now: this.#now(), maySeat, ...(image && { image: imageFacts(image) }) }
        const step = stepUpgrade(order, asked, facts)
        if (step.order !== order) record.putOrder(step.order)
        if (step.answer.do === 'write' && image !== undefined) addRoothash(record, image.slot.roothash)
        return { answer: step.answer, before: order, after: step.order }
      }),
    )
    if ('refusal' in done) {
      if (isOwn) this.#seats.delete(name)
      throw done.refusal
    }
    const { answer, before, after, isForeign } = done.value
    if (isOwn && after?.state !== 'writing') this.#seats.delete(name)
    if (before !== undefined && after !== undefined) this.#recordState(before, after)
    if (isForeign === true) this.#refuse(who)
    return answer
  }

  /** A machine starts, or failed, by its own report: its next `ready` counts, and not the last one. */
  async began({ machine: { name }, token }: TokenHolder): Promise<void> {
    const { tokens, liveness } = this.#needs
    if (await tokens.speaks(token)) liveness.began(name)
  }

  /** A machine is ready, by its own report; with the version that it was to run, its upgrade is done. */
  async ready({ machine: { name }, token }: TokenHolder, version: string | undefined): Promise<void> {
    const { disks, liveness } = this.#needs
    liveness.heard(name)
    if (!isUpgrade(disks.get(name)?.order)) return
    await this.#change(name, (order, record) =>
      isOwnToken(record, token) ? afterReady(order, version, this.#now()) : order,
    )
  }

  /**
   * An operator has a machine restart into what it wrote; on disk when it resolves. The machine hears it when it asks next.
   *
   * @throws {NoOrder} 404; {NotWritten} {RestartBreaksQuorum} 409
   */
  async restart(
    { name }: Machine,
    { breakQuorum, who }: { readonly breakQuorum: boolean; readonly who: string },
  ): Promise<Order> {
    const { kept } = this.#needs
    const order = kept.order(name)
    if (order?.verb !== 'upgrade') throw new NoOrder(name)
    if (order.state === 'rebooting' || order.state === 'done') return order
    if (order.state !== 'written') throw new NotWritten(name, order.state ?? 'ordered', order.why)
    if (!breakQuorum) this.#requireOthers(name)
    kept.leaving.add(name) // before anything is awaited: two operators must not restart two controllers
    try {
      const next = await this.#change(name, one =>
        one.state === 'written' ? moved(one, 'rebooting', this.#now()) : one,
      )
      if (next === undefined) throw new NoOrder(name)
      this.#record(name, 'ordered', `${who} has ${name} restart into ${next.target}`)
      return orderView(next)
    } finally {
      kept.leaving.delete(name)
    }
  }

  /** Looks for machines that did not come back in time; called by a timer. */
  async look(): Promise<void> {
    const { disks } = this.#needs
    const now = this.#now()
    for (const [name, { order }] of disks)
      if (isUpgrade(order) && afterTime(order, now) !== order)
        await this.#change(name, one => afterTime(one, now))
  }

  #now(): Now {
    const { clocks, host } = this.#needs
    return { wall: clocks.wall(), host: { run: host.run, at: host.now() } }
  }

  /** Changes an upgrade in one step, and writes a new state into the journal; undefined where none is ordered any more. */
  async #change(
    name: string,
    step: (order: KeptUpgrade, record: MachineRecord) => KeptUpgrade,
  ): Promise<KeptUpgrade | undefined> {
    const { store, kept } = this.#needs
    const changed = await store.change(name, record => {
      const order = record.disk().order
      if (!isUpgrade(order) || kept.current(order) === undefined) return undefined
      const next = step(order, record)
      if (next !== order) record.putOrder(next)
      return { before: order, next }
    })
    if (changed !== undefined) this.#recordState(changed.before, changed.next)
    return changed?.next
  }

  /** An upgrade that failed begins anew, and one that was done where the machine runs another version by now. */
  #isToBegin(name: string, { state, target }: Order): boolean {
    if (state === 'done') return this.#needs.installs.installed(name)?.version !== target
    return state === 'failed'
  }

  /** Says whether a machine may write now, and holds its place if so. */
  #takeSeat(name: string): boolean {
    const now = this.#needs.clocks.steady()
    for (const [other, at] of this.#seats) if (now - at > SEAT_MS) this.#seats.delete(other)
    if (!this.#seats.has(name) && this.#seats.size >= MOST_WRITING) return false
    this.#seats.set(name, now)
    return true
  }

  /** A controller restarts only while all others of its site are ready, and none of them restarts. */
  #requireOthers(name: string): void {
    const controllers = this.#needs.controllersOf(name)
    if (!controllers.some(one => one.name === name)) return
    const others = controllers.filter(one => one.name !== name)
    const away = others.filter(
      one => !one.runs || this.#needs.kept.leaving.has(one.name) || isAway(this.#needs.kept.order(one.name)),
    )
    if (others.length > 0 && away.length === 0) return
    throw new RestartBreaksQuorum(name, others.length === 0, away)
  }

  /** Writes a new state into the journal; one that failed is an alarm as well. */
  #recordState(before: KeptUpgrade, { machine, state, target, why }: KeptUpgrade): void {
    if (state === before.state) return
    const text = {
      ordered: `is to run ${target}`,
      writing: `writes ${target} to the slot that does not run`,
      written: `wrote ${target}: every start from now on takes it`,
      rebooting: `is to restart into ${target}`,
      done: `runs ${target}`,
      failed: `was not upgraded to ${target}: ${why ?? 'it does not say why'}`,
    }[state]
    this.#record(machine, state === 'failed' ? 'upgrade' : 'order', `${machine} ${text}`)
  }

  /** Says once of each boot that its token gets no order. */
  #refuse({ machine: { name }, token: { boot } }: TokenHolder): void {
    const key = `${name} ${boot}`
    if (this.#refused.has(key)) return
    this.#refused.add(key)
    keepLast(this.#refused, REMEMBERED)
    const text =
      `${name} asked what is ordered with a token of boot ${boot}, which no bundle was given for, and gets no order. ` +
      `If it entered its disk over the network: have it start from the disk`
    this.#record(name, 'order', text)
  }

  /** `upgrade` is an alarm, the other kinds are not. */
  #record(name: string, kind: 'ordered' | 'order' | 'upgrade', text: string): void {
    const { journal, alarms, machineOf } = this.#needs
    const machine = machineOf(name)
    const mac = machine === undefined ? '' : journal.macOf(machine)
    const where = { mac, machine: name, layer: 'http' } as const
    if (kind === 'upgrade') alarms.raise({ kind, ...where, text })
    else if (mac !== '') journal.record({ ...where, kind, text })
  }
}

/** Refuses an upgrade that would take the place of another order, or of the image that a machine returns to. */
function requireReplaceable(name: string, present: Order | undefined, target: string): void {
  if (present !== undefined && present.verb !== 'upgrade') throw new OtherOrder(name, present.verb)
  // The image that it starts may be bad, and what would be written now takes the place of the one to return to.
  if (present?.state === 'rebooting' && present.target !== target)
    throw new NotGoodYet(name, present.target ?? '', target)
}

/**
 * Keeps the root hash of an image that the machine is ordered to write: it may run that one from then on. Where none is known it stays so
 * until the machine is installed again: a list of the new image alone would keep it from the one that it runs.
 */
function addRoothash(record: ChangingRecord, roothash: string): void {
  const install = confirmedIn(record.disk())
  const known = install?.roothashes
  if (install === undefined || known === undefined || known.at(-1) === roothash) return
  const roothashes = [...known.filter(one => one !== roothash), roothash].slice(-ROOTHASHES_KEPT)
  record.putInstall({ ...install, roothashes })
}

function imageFacts({ version, url, sha256 }: Awaited<ReturnType<ImageOf>> & object) {
  return { version, url, sha256 }
}
