// The boot journal: every event of a machine belongs to one boot; readers follow it live or read one boot as text.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Boot, type BootEvent, bootId } from '#model/boot.ts'
import { cleanLabel, cleanLines, cleanText } from '#model/clean.ts'
import type { Machine } from '#model/machine.ts'
import { hasReached, phaseAfter, type Phase } from '#model/phase.ts'
import type { Identities } from './identity.ts'
import { isOfFirmware, isPastFirmware, leaseShownBy } from './firmware.ts'
import type { EventStore, UnstoredEvent } from '../store/events.ts'
import { bytesOfEvent, StrangerBoots, type Importance } from './stranger-boots.ts'

/** What a protocol reports to the journal; the journal adds id, boot, and the machine's name. */
export type NewEvent = {
  /** Lower case, colons. */
  readonly mac: string
  /** SMBIOS UUID, when DHCP knows it: finds a machine that is declared by UUID alone. */
  readonly uuid?: string
  /** The name of the machine, when the sender showed that it is the machine, or the event is about it. */
  readonly machine?: string
  readonly layer: BootEvent['layer']
  readonly kind: string
  readonly text: string
  readonly detail?: BootEvent['detail']
  /** A new boot may have begun: firmware or iPXE asks again, or, where DHCP shows us nothing, asks for its script. */
  readonly startsBoot?: boolean
  /** The boot that a token was made for: the event is written there, whatever began since. */
  readonly boot?: string
}

/** A boot as it is followed in memory. */
export type CurrentBoot = Boot & {
  readonly phase: Phase
  /** Milliseconds since 1970 when the phase was reached. */
  readonly phaseSince: number
  /** Its last event, and the place of that among all events that the journal has seen. */
  readonly last: UnstoredEvent
  readonly order: number
  /** The address that the firmware of this boot has, as DHCP showed it. */
  readonly lease?: string
  /** The address that fetched the boot script. */
  readonly scriptFrom?: string
  /** Its script sent it to its disk: what the machine reports next, by the token of an earlier boot, is of this one. */
  readonly isFromDisk?: boolean
  /** The switch port, as the relay of DHCP named it. */
  readonly port?: string
  /** The switch ports that DHCP of this boot's firmware came from, `''` for none; two of them at most. */
  readonly ports?: readonly string[]
}

/** Why an event was not kept. */
export type JournalRefusal = 'journal_new' | 'journal_events' | 'journal_boots'

/** Optional parts of a journal. */
export type JournalOptions = {
  readonly strangers?: StrangerBoots
  /** Hears of events that were not kept because there are too many. */
  readonly refuse?: (reason: JournalRefusal, mac: string) => void
  /** Gets each event that is given to the store, and when it is on disk. */
  readonly onStoring?: (event: UnstoredEvent, stored: Promise<unknown>) => void
}

/** Groups events into boots, keeps them, and wakes those who wait for more. */
export class Journal {
  readonly #store: EventStore
  readonly #identities: () => Identities
  readonly #now: () => number
  readonly #onLost: (error: unknown) => void
  /** The current boot, by machine name and by MAC. */
  readonly #current = new Map<string, CurrentBoot>()
  /**
   * A boot that firmware may have begun, by machine name and by MAC. It becomes the current one when its script or its
   * config is fetched from the address that its firmware was given; packets alone, which anyone can send, end no boot.
   */
  readonly #begun = new Map<string, CurrentBoot>()
  /** MACs that a machine used and is not declared with, those it used last at the end, by machine name. */
  readonly #links = new Map<string, Set<string>>()
  /** Where DHCP shows nothing, the boots of other addresses than the current one's, by machine name, the oldest first. */
  readonly #aside = new Map<string, readonly CurrentBoot[]>()
  /** The machines whose boots of an earlier run were looked through for that of their declared address, and what was found. */
  readonly #lookedAside = new Map<string, Promise<CurrentBoot | undefined> | 'done'>()
  readonly #wakers = new Set<() => void>()
  readonly #strangers: StrangerBoots
  readonly #refuse: (reason: JournalRefusal, mac: string) => void
  readonly #onStoring: (event: UnstoredEvent, stored: Promise<unknown>) => void
  /** MACs whose boots are to be removed from the store. */
  #forgotten: string[] = []
  /** The boots of strangers of an earlier run are all in memory; until then each is looked for when it is asked for. */
  #isResumed = false
  readonly #lookedFor = new Map<string, Promise<void> | 'done'>()
  /** The place of the last event among all. */
  #order = 0
  #committed = 0

  /** Use `Journal.open`. */
  private constructor(
    store: EventStore,
    identities: () => Identities,
    now: () => number,
    onLost: (error: unknown) => void,
    { strangers = new StrangerBoots(), refuse = () => {}, onStoring = () => {} }: JournalOptions,
  ) {
    this.#store = store
    this.#onStoring = onStoring
    this.#strangers = strangers
    this.#refuse = refuse
    this.#identities = identities
    this.#now = now
    this.#onLost = onLost
  }

  /**
   * Takes up the boots of declared machines that an earlier run kept.
   *
   * @param identities gives the present inventory
   * @param now milliseconds since 1970
   * @param onLost is called for events that could not be written
   */
  static async open(
    store: EventStore,
    identities: () => Identities,
    now: () => number,
    onLost: (error: unknown) => void,
    options: JournalOptions = {},
  ): Promise<Journal> {
    const journal = new Journal(store, identities, now, onLost, options)
    journal.#committed = await store.lastEvent()
    journal.#order = journal.#committed
    journal.#isResumed = (await store.strangerBoots(Number.MAX_SAFE_INTEGER, 1)).length === 0
    const boots = await store.latestBoots()
    for (let at = 0; at < boots.length; at += BOOTS_AT_ONCE) {
      const slice = boots.slice(at, at + BOOTS_AT_ONCE)
      const events = await journal.#eventsByBoot(slice)
      for (const boot of slice) journal.#takeUp(await journal.#readBoot(boot, events.get(boot.id) ?? []))
    }
    return journal
  }

  /**
   * Takes up the boots of undeclared machines, some at a time, the newest first; and removes from the store what
   * is more than is kept. Resolves when it is done, or `signal` is aborted.
   */
  async resumeStrangers(signal: AbortSignal): Promise<void> {
    const found = new Map<string, number>()
    const { strangers: most } = this.#strangers.limits
    let before = Number.MAX_SAFE_INTEGER
    while (found.size < most && !signal.aborted) {
      const slice = await this.#store.strangerBoots(before, BOOTS_AT_ONCE)
      if (slice.length === 0) break
      before = slice.at(-1)!.number // it has one
      const newest = slice.filter(({ mac }) => {
        if (found.has(mac)) return false
        found.set(mac, 0)
        return true
      })
      const events = await this.#eventsByBoot(newest)
      for (const boot of newest) await this.#resumeStranger(boot, events.get(boot.id) ?? [], found)
      await pause(signal)
    }
    this.#isResumed = true
    this.#lookedFor.clear()
    const older = [...found].map(([mac, bytes]) => ({ mac, bytes }))
    this.#forget(this.#strangers.resume(older))
    if (found.size < most) return
    while (!signal.aborted && (await this.#store.trimStrangers(before, BOOTS_AT_ONCE))) await pause(signal)
  }

  /**
   * Writes an event into the machine's current boot; into the boot that its firmware begins, or a new one; or into the
   * boot that the event names. Its texts are cleaned here, because any of them may hold what a client sent. Gives that
   * boot; undefined when the event waits until the boot of an earlier run that its MAC was in is in memory.
   */
  record(event: NewEvent): CurrentBoot | undefined {
    const machine = this.#machineOf(event)
    const reading = this.reading({ mac: event.mac, ...(machine && { machine }) })
    if (reading === undefined) return this.#record(event)
    void reading.then(() => this.#record(event))
    return undefined
  }

  /**
   * Reads the boot of an earlier run that an undeclared MAC was in, as long as not all are in memory. Undefined when there is
   * nothing to wait for; never rejects.
   */
  reading({ mac, machine }: { mac?: string; machine?: Machine }): Promise<void> | undefined {
    if (this.#isResumed || mac === undefined || latest(this.#current, machine, mac) !== undefined)
      return undefined
    const known = this.#lookedFor.get(mac)
    if (known !== undefined) return known === 'done' ? undefined : known
    const reading = this.#readEarlier(mac)
      .catch(this.#onLost)
      .finally(() => this.#lookedFor.set(mac, 'done'))
    this.#lookedFor.set(mac, reading)
    return reading
  }

  #record(event: NewEvent): CurrentBoot {
    const at = this.#now()
    const machine = this.#machineOf(event)
    const current = latest(this.#current, machine, event.mac)
    const made = { layer: event.layer, kind: event.kind, detail: cleanDetail(event.detail) }
    const place = this.#placeOf(event, made, current, latest(this.#begun, machine, event.mac))
    const before = place.boot
    if (place.isDropped && before !== undefined) return before
    const boot: Boot = before
      ? { id: before.id, mac: before.mac, began: before.began }
      : { id: bootId(this.#store.nextBoot()), mac: event.mac, began: at }
    const named: Boot = machine === undefined ? boot : { ...boot, machine: machine.name }
    const kept: UnstoredEvent = {
      at,
      boot: boot.id,
      mac: event.mac,
      ...(machine && { machine: machine.name }),
      text: cleanText(event.text),
      ...made,
    }
    const next: CurrentBoot = {
      ...after(before ?? { ...named, phase: 'new', phaseSince: at }, kept, (this.#order += 1)),
      ...(machine && { machine: machine.name }),
    }
    const how = this.#howKept(next, current, before === undefined)
    if (how !== 'not' && place.follow !== undefined) {
      if (place.follow === this.#current) this.#setAside(current, next)
      this.#follow(place.follow, next)
    }
    if (how !== 'stored') return next
    const isSoon = machine !== undefined || this.#strangers.isPrompt()
    const stored = this.#store.append(named, kept, isSoon ? 'soon' : 'within a second')
    this.#onStoring(kept, stored)
    stored.then(
      id => this.#wake(id),
      error => this.#onLost(error),
    )
    return next
  }

  /**
   * Takes the boot that firmware began for the current one, when a machine at `address` fetches the next thing over TCP
   * and that is the address which its firmware was given. A boot that has a script goes on until another config is
   * fetched, so that a loader which asks DHCP again begins nothing. Gives the current boot.
   */
  arrive(
    whose: { readonly mac?: string; readonly machine?: Machine },
    { address, at }: { readonly address: string; readonly at: 'script' | 'config' },
  ): CurrentBoot | undefined {
    const current = this.currentOf(whose)
    const begun = latest(this.#begun, whose.machine, whose.mac)
    if (begun === undefined || begun.lease !== address) return current
    if (current !== undefined && at === 'config' && !hasReached(current.phase, 'config')) return current
    for (const [key, boot] of this.#begun) if (boot.id === begun.id) this.#begun.delete(key)
    this.#follow(this.#current, begun)
    return begun
  }

  /** The boot that a machine is in, or was in last. */
  currentOf({ machine, mac }: { machine?: Machine; mac?: string }): CurrentBoot | undefined {
    return latest(this.#current, machine, mac)
  }

  /** The MAC that a machine's entries are written under: of its current boot, else the first that is declared; `''` when there is none. */
  macOf(machine: Machine): string {
    return this.currentOf({ machine })?.mac ?? machine.macs[0] ?? ''
  }

  /** The boot of a machine whose script an address fetched, where DHCP shows nothing; else the current one. */
  bootAt(machine: Machine, address: string): CurrentBoot | undefined | Promise<CurrentBoot | undefined> {
    const current = this.currentOf({ machine })
    if (current === undefined || current.scriptFrom === address) return current
    const aside = this.#asideOf(machine.name, boot => boot.scriptFrom === address)
    return aside ?? this.#earlierAt(machine, address)?.then(earlier => earlier ?? current) ?? current
  }

  /** The last boot of an earlier run whose script a machine's declared address fetched; it is looked for once. */
  #earlierAt(machine: Machine, address: string): Promise<CurrentBoot | undefined> | undefined {
    const { name } = machine
    const known = this.#lookedAside.get(name)
    if (address !== machine.address || known === 'done') return undefined
    if (known !== undefined) return known
    const looking = this.#lookAside(machine, address).finally(() => this.#lookedAside.set(name, 'done'))
    this.#lookedAside.set(name, looking)
    return looking
  }

  async #lookAside({ name, macs }: Machine, address: string): Promise<CurrentBoot | undefined> {
    const boots = await this.#store.bootsOf({ machine: name, macs }, BOOTS_AT_ONCE)
    const events = await this.#eventsByBoot(boots)
    for (const boot of boots) {
      const found = readBoot({ ...boot, machine: name }, events.get(boot.id) ?? [])
      if (found?.scriptFrom !== address) continue
      this.#aside.set(name, [found, ...(this.#aside.get(name) ?? [])])
      return found
    }
    return undefined
  }

  /** The current boots of all MACs that ever booted. */
  all(): CurrentBoot[] {
    const found = new Map<string, CurrentBoot>()
    for (const boot of this.#current.values()) {
      const other = found.get(boot.id)
      if (other === undefined || other.order < boot.order) found.set(boot.id, boot)
    }
    return [...found.values()]
  }

  /** Events after `id`; when there is none, waits for one until `limitMs` have passed or the signal is aborted. */
  async after(
    id: number,
    options: { readonly machine?: string; readonly limitMs: number; readonly signal: AbortSignal },
  ): Promise<BootEvent[]> {
    const end = performance.now() + options.limitMs // not by a clock that may be set
    for (;;) {
      const seen = this.#committed
      const events = await this.#store.eventsAfter(id, {
        limit: EVENTS_AT_ONCE,
        ...(options.machine === undefined ? {} : { machine: options.machine }),
      })
      const left = end - performance.now()
      if (events.length > 0 || left <= 0 || options.signal.aborted) return events
      if (seen === this.#committed) await this.#next(left, options.signal)
    }
  }

  /** The last event id on disk: where a reader begins who wants only what comes. */
  get last(): number {
    return this.#committed
  }

  /** Which boot an event belongs to, a new one where there is none; and what follows it in memory. */
  #placeOf(
    event: NewEvent,
    made: Pick<BootEvent, 'layer' | 'kind' | 'detail'>,
    current: CurrentBoot | undefined,
    begun: CurrentBoot | undefined,
  ): {
    readonly boot?: CurrentBoot
    readonly follow?: Map<string, CurrentBoot>
    readonly isDropped?: boolean
  } {
    if (event.boot !== undefined && event.boot !== current?.id) {
      const aside = this.#asideOf(current?.machine, ({ id }) => id === event.boot)
      const isSteps = event.layer === 'os' || event.kind === 'config' // of one that has a token
      if (aside !== undefined) return { boot: aside, ...(isSteps && { follow: this.#current }) }
      const [boot] = current === undefined ? [] : [{ ...current, id: event.boot }]
      if (boot !== undefined) return { boot }
    }
    if (current === undefined) return { follow: this.#current }
    if (isOfFirmware(made) && isPastFirmware(current.phase)) {
      const isFresh = begun !== undefined && this.#now() - begun.phaseSince < FIRMWARE_MS
      if (isFresh) return { boot: begun, follow: this.#begun }
      if (event.startsBoot === true) return { follow: this.#begun }
    }
    if (event.startsBoot !== true || event.kind !== 'script' || !isPastFirmware(current.phase)) {
      return { boot: current, follow: this.#current }
    }
    // Anyone can ask for the script, so each address that does is in a separate boot, and ends no other's.
    const from = made.detail.from
    const isOwn = current.scriptFrom === undefined || current.scriptFrom === from
    const own = isOwn ? current : this.#asideOf(current.machine, boot => boot.scriptFrom === from)
    if (own?.phase === 'script') return { boot: own, follow: this.#current }
    if (this.#mayBoot(current, from)) return { follow: this.#current }
    this.#refuse('journal_boots', event.mac)
    return own === undefined ? { boot: current, isDropped: true } : { boot: own }
  }

  /** Says whether a script that was fetched from an address may begin another boot. */
  #mayBoot({ machine }: CurrentBoot, from: string | number | undefined): boolean {
    return machine === undefined || this.#strangers.mayBoot(machine, this.#addressOf(machine) === from)
  }

  #addressOf(machine: string): string | undefined {
    return this.#identities().machine({ name: machine })?.address
  }

  #asideOf(machine: string | undefined, isIt: (boot: CurrentBoot) => boolean): CurrentBoot | undefined {
    return machine === undefined ? undefined : this.#aside.get(machine)?.findLast(isIt)
  }

  /**
   * Keeps the boot of another address beside the one that is the current one now: one an address, a few of a machine. That
   * of the machine's declared address is never dropped.
   */
  #setAside(current: CurrentBoot | undefined, next: CurrentBoot): void {
    const { machine } = next
    if (machine === undefined || current?.scriptFrom === undefined || current.id === next.id) return
    const gone = new Set([current.scriptFrom, next.scriptFrom])
    const others = (this.#aside.get(machine) ?? []).filter(({ scriptFrom }) => !gone.has(scriptFrom))
    if (current.scriptFrom !== next.scriptFrom) others.push(current)
    const home = this.#addressOf(machine)
    if (others.length > ASIDE) others.splice(others[0]?.scriptFrom === home ? 1 : 0, 1)
    this.#aside.set(machine, others)
  }

  #machineOf({ mac, uuid, machine: name }: NewEvent): Machine | undefined {
    const identities = this.#identities()
    const machine = identities.machine({ name, mac, uuid }, 'claimed')
    if (machine !== undefined) return machine
    // An operating system does not send its UUID; its MAC was seen with one earlier in this boot.
    return identities.machine({ name: this.#current.get(mac)?.machine })
  }

  #follow(among: Map<string, CurrentBoot>, boot: CurrentBoot): void {
    const { machine, mac, last } = boot
    if (machine === undefined) {
      among.set(mac, boot)
      return
    }
    among.set(machine, boot)
    const macs = this.#identities().machine({ name: machine })?.macs ?? []
    for (const one of new Set([mac, last.mac])) {
      if (macs.includes(one) || (isLinkOf(boot, one) && this.#addLink(machine, one))) among.set(one, boot)
    }
  }

  /** Remembers few of them: anyone can send the UUID of a machine that is declared by it alone with any MAC. */
  #addLink(machine: string, mac: string): true {
    const links = this.#links.get(machine) ?? new Set()
    this.#links.set(machine, links)
    links.delete(mac)
    links.add(mac)
    if (links.size > LINKS_REMEMBERED) {
      const [oldest = ''] = links
      links.delete(oldest)
      for (const boots of [this.#current, this.#begun]) {
        if (boots.get(oldest)?.machine === machine) boots.delete(oldest)
      }
    }
    return true
  }

  /** How the last event of a boot is kept: in the store, too, in memory alone, or not at all. */
  #howKept(
    { machine, mac, last }: CurrentBoot,
    current: CurrentBoot | undefined,
    isNew: boolean,
  ): 'stored' | 'in memory' | 'not' {
    if (machine === undefined && current === undefined && !this.#strangers.mayBegin()) {
      this.#refuse('journal_new', mac)
      return 'not'
    }
    // A boot that begins with its script is one of few (`#mayBoot`), and after a restart nothing else shows whose it is.
    const importance = isNew && last.kind === 'script' ? 'always' : importanceOf(last)
    const whose = machine === undefined ? { mac } : { machine, importance }
    const isStored = this.#strangers.mayRecord(whose)
    if (!isStored) this.#refuse('journal_events', mac)
    if (machine !== undefined) this.#strangers.forget(mac)
    else this.#forget(this.#strangers.saw(mac, isStored ? bytesOfEvent(last) : 0))
    return isStored ? 'stored' : 'in memory'
  }

  /** Forgets the boots of undeclared machines; the store follows, many at a time. */
  #forget(macs: readonly string[]): void {
    for (const mac of macs) {
      for (const boots of [this.#current, this.#begun]) {
        if (boots.get(mac)?.machine === undefined) boots.delete(mac)
      }
      this.#forgotten.push(mac)
    }
    if (this.#forgotten.length < FORGOTTEN_AT_ONCE) return
    this.#store.forgetStrangers(this.#forgotten.splice(0), this.#store.lastBoot() - 1).catch(this.#onLost)
  }

  async #readEarlier(mac: string): Promise<void> {
    const [boot] = await this.#store.bootsOf({ macs: [mac] }, 1)
    if (boot === undefined) return
    const read = await this.#readBoot(boot, await this.#store.eventsOf(boot.id))
    if (!this.#current.has(mac)) this.#takeUp(read)
  }

  async #resumeStranger(boot: Boot, events: readonly BootEvent[], found: Map<string, number>): Promise<void> {
    found.set(
      boot.mac,
      events.reduce((sum, event) => sum + bytesOfEvent(event), 0),
    )
    if (this.#current.has(boot.mac)) return
    const read = await this.#readBoot(boot, events)
    if (!this.#current.has(boot.mac)) this.#takeUp(read)
  }

  async #eventsByBoot(boots: readonly Boot[]): Promise<Map<string, BootEvent[]>> {
    return Map.groupBy(await this.#store.eventsOfBoots(boots.map(({ id }) => id)), ({ boot }) => boot)
  }

  /** A boot of an earlier run; where its firmware had only begun it, with the one before, which goes on. */
  async #readBoot(boot: Boot, events: readonly BootEvent[]): Promise<EarlierBoot> {
    const read = readBoot(boot, events)
    if (read === undefined || isPastFirmware(read.phase)) return { ...(read && { current: read }) }
    const machine = boot.machine === undefined ? {} : { machine: boot.machine }
    const [, earlier] = await this.#store.bootsOf({ ...machine, macs: [boot.mac] }, 2)
    const current = earlier && readBoot(earlier, await this.#store.eventsOf(earlier.id))
    return current !== undefined && isPastFirmware(current.phase)
      ? { current, begun: read }
      : { current: read }
  }

  #takeUp({ current, begun }: EarlierBoot): void {
    if (current !== undefined) this.#follow(this.#current, current)
    if (begun !== undefined) this.#follow(this.#begun, begun)
  }

  #wake(id: number): void {
    this.#committed = Math.max(this.#committed, id)
    for (const waker of this.#wakers) waker()
  }

  #next(limitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const finish = () => {
        clearTimeout(timer)
        this.#wakers.delete(finish)
        signal.removeEventListener('abort', finish)
        resolve()
      }
      const timer = setTimeout(finish, limitMs)
      this.#wakers.add(finish)
      signal.addEventListener('abort', finish)
    })
  }
}

/** How long firmware takes at most from its first packet to the script; a packet after that begins another boot. */
const FIRMWARE_MS = 15 * 60_000

/** How many MACs of a machine are remembered that it is not declared with. */
const LINKS_REMEMBERED = 8

/** How many addresses may be in a boot of one machine at a time, where DHCP shows nothing. */
const ASIDE = 64

/** How many boots are read or removed before others have their turn. */
const BOOTS_AT_ONCE = 200
/** How many undeclared machines are removed from the store at once. */
const FORGOTTEN_AT_ONCE = 64

/** Leaves one turn of the event loop to others. */
async function pause(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await sleep(5)
}

/** What a MAC or a machine of an earlier run was in, and what its firmware had begun. */
type EarlierBoot = { readonly current?: CurrentBoot; readonly begun?: CurrentBoot }

/** A boot from its events; undefined when there are none. */
function readBoot(boot: Boot, events: readonly BootEvent[]): CurrentBoot | undefined {
  let read: CurrentBoot | undefined
  for (const { id, ...event } of events)
    read = after(read ?? { ...boot, phase: 'new', phaseSince: boot.began }, event, id)
  return read
}

/** Events that no flood may keep out, because they show an intruder, or what an intruder may have got. */
const ALWAYS_KEPT: ReadonlySet<string> = new Set([
  'held',
  'moved',
  'copied',
  'replayed',
  'approved',
  'rejected',
  'reopened',
  'closed',
  'config',
  'grant',
  'installed',
  'wiped',
  'ordered',
  'bundle',
  'ready',
])
/** Events that anyone can cause with requests. */
const OF_ANYONE: ReadonlySet<string> = new Set(['refused', 'asked', 'declined'])

/** What an event competes with for its place: floods of packets and requests must keep nothing else out. */
function importanceOf({ layer, kind }: UnstoredEvent): Importance {
  if (ALWAYS_KEPT.has(kind)) return 'always'
  if (OF_ANYONE.has(kind)) return 'refusal'
  return layer === 'dhcp' || layer === 'tftp' || kind === 'script' ? 'packet' : 'vouched'
}

/** The boot after one more event. */
function after(boot: Omit<CurrentBoot, 'last' | 'order'>, event: UnstoredEvent, order: number): CurrentBoot {
  const phase = phaseAfter(boot.phase, event)
  const lease = leaseShownBy(event)
  const { from, port, local } = event.detail
  return {
    ...boot,
    phase,
    phaseSince: phase === boot.phase ? boot.phaseSince : event.at,
    last: event,
    order,
    ...(lease === undefined ? {} : { lease, mac: event.mac }),
    ...(event.kind === 'script' && typeof from === 'string' ? { scriptFrom: from } : {}),
    ...(event.kind === 'script' ? { isFromDisk: local === 1 } : {}),
    ...(typeof port === 'string' && isOfFirmware(event) ? { port } : {}),
    ...portsAfter(boot, event),
  }
}

/** Says whether a MAC of a boot's events had an address, or is known from more than a packet of DHCP. */
function isLinkOf({ mac, lease, last }: CurrentBoot, one: string): boolean {
  if (last.layer !== 'dhcp') return true
  return lease === undefined ? last.mac === one && last.kind === 'ack' : one === mac
}

function portsAfter(
  { ports = [] }: Pick<CurrentBoot, 'ports'>,
  event: UnstoredEvent,
): Pick<CurrentBoot, 'ports'> {
  if (event.layer !== 'dhcp' || !isOfFirmware(event)) return { ports }
  const { port } = event.detail
  const name = typeof port === 'string' ? port : ''
  return { ports: ports.includes(name) || ports.length > 1 ? ports : [...ports, name] }
}

/** The boot with the last event among those that are known by the machine's name, its MACs or `mac`. */
function latest(
  boots: ReadonlyMap<string, CurrentBoot>,
  machine: Machine | undefined,
  mac: string | undefined,
): CurrentBoot | undefined {
  if (boots.size === 0) return undefined
  let found = mac === undefined ? undefined : boots.get(mac)
  if (machine === undefined) return found
  found = later(boots.get(machine.name), found)
  for (const own of machine.macs) if (own !== mac) found = later(boots.get(own), found)
  return found
}

function later(one: CurrentBoot | undefined, other: CurrentBoot | undefined): CurrentBoot | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one.order > other.order ? one : other
}

/** How many events one answer holds at most; the reader asks again with the last id. */
const EVENTS_AT_ONCE = 500

/** The detail of an event without what a client could hide in it; only `log` has more than one line. */
function cleanDetail(detail: BootEvent['detail'] = {}): BootEvent['detail'] {
  let cleaned: Record<string, string | number> | undefined
  // Without a list of pairs: it is made for each event of each machine.
  for (const key in detail) {
    const value = detail[key]
    if (typeof value !== 'string') continue
    const clean = key === 'log' ? cleanLines(value) : cleanLabel(value)
    if (clean === value) continue
    cleaned ??= { ...detail }
    cleaned[key] = clean
  }
  return cleaned ?? detail
}

/** One boot as text, a line an event with the log that it brought below it, and the seconds since the first: `  3.2s dhcp offer    10.20.0.11 to ...`. */
export function journalText(events: readonly BootEvent[]): string {
  const [first] = events
  if (first === undefined) return ''
  const heading = `${first.machine ?? first.mac} ${first.boot} ${new Date(first.at).toISOString()}\n`
  const lines = events.map(event => {
    const seconds = ((event.at - first.at) / 1000).toFixed(1).padStart(6)
    const { log } = event.detail
    const tail =
      typeof log === 'string'
        ? log
            .trimEnd()
            .split('\n')
            .map(line => `             | ${line}\n`)
        : []
    return `${seconds}s ${event.layer.padEnd(4)} ${event.kind.padEnd(8)} ${event.text}\n${tail.join('')}`
  })
  return heading + lines.join('')
}
