// The boot journal: every event of a machine belongs to one boot; readers follow it live or read one boot as text.

import { cleanLabel, cleanLines, cleanText } from '../match/clean.ts'
import type { BootEvent, Machine } from './objects.ts'
import { beginsBoot, phaseAfter, type Phase } from './phase.ts'
import type { Boot, Store } from './store.ts'

/** What a protocol tells the journal; the journal adds id, boot, and the machine's name. */
export type NewEvent = {
  /** Lower case, colons. */
  readonly mac: string
  /** SMBIOS UUID, when the protocol tells it: finds a machine that is declared by UUID. */
  readonly uuid?: string
  readonly layer: BootEvent['layer']
  readonly kind: string
  readonly text: string
  readonly detail?: BootEvent['detail']
  /** Firmware or iPXE asks afresh, so a new boot may have begun. */
  readonly startsBoot?: boolean
}

/** A boot as it is followed in memory. */
export type CurrentBoot = Boot & {
  readonly phase: Phase
  /** Milliseconds since 1970 when the phase was reached. */
  readonly phaseSince: number
  readonly last: BootEvent
}

/** What the journal asks of the inventory. */
export interface Identities {
  machine(known: { mac?: string; uuid?: string; name?: string }): Machine | undefined
}

type JournalStore = Pick<
  Store,
  'append' | 'counters' | 'latestBoots' | 'eventsOf' | 'eventsAfter' | 'bootsOf'
>

/** Groups events into boots, keeps them, and wakes those who wait for more. */
export class Journal {
  readonly #store: JournalStore
  readonly #identities: () => Identities
  readonly #now: () => number
  readonly #onLost: (error: unknown) => void
  /** The current boot, by machine name and by MAC. */
  readonly #current = new Map<string, CurrentBoot>()
  readonly #wakers = new Set<() => void>()
  #event: number
  #boot: number
  #committed: number

  /**
   * @param identities gives the inventory of the moment
   * @param now milliseconds since 1970
   * @param onLost hears of events that could not be written
   */
  constructor(
    store: JournalStore,
    identities: () => Identities,
    now: () => number,
    onLost: (error: unknown) => void,
  ) {
    this.#store = store
    this.#identities = identities
    this.#now = now
    this.#onLost = onLost
    const counters = store.counters()
    this.#event = counters.event
    this.#committed = counters.event
    this.#boot = counters.boot
    for (const boot of store.latestBoots()) this.#resume(boot)
  }

  /**
   * Writes an event into the machine's current boot, or into a new one when it begins one; its texts are cleaned here,
   * because any of them may hold what a client sent. Gives the boot.
   */
  record(event: NewEvent): CurrentBoot {
    const at = this.#now()
    const machine = this.#machineOf(event)
    const current = this.currentOf({ mac: event.mac, ...(machine && { machine }) })
    const begins =
      current === undefined ||
      beginsBoot(current.phase, { kind: event.kind, startsBoot: event.startsBoot === true })
    const boot: Boot = begins
      ? { id: bootId((this.#boot += 1)), mac: event.mac, began: at }
      : { id: current.id, mac: current.mac, began: current.began }
    const named: Boot = machine === undefined ? boot : { ...boot, machine: machine.name }
    const kept: BootEvent = {
      id: (this.#event += 1),
      at,
      boot: boot.id,
      mac: event.mac,
      ...(machine && { machine: machine.name }),
      layer: event.layer,
      kind: event.kind,
      text: cleanText(event.text),
      detail: cleanDetail(event.detail),
    }
    const before = begins ? 'new' : current.phase
    const phase = phaseAfter(before, kept)
    const phaseSince = begins || phase !== before ? at : current.phaseSince
    const next: CurrentBoot = { ...named, phase, phaseSince, last: kept }
    this.#follow(next)
    this.#store.append(named, kept).then(
      () => this.#wake(kept.id),
      error => this.#onLost(error),
    )
    return next
  }

  /** The boot that a machine is in, or was in last. */
  currentOf({ machine, mac }: { machine?: Machine; mac?: string }): CurrentBoot | undefined {
    const keys = [...(machine ? [machine.name, ...machine.macs] : []), ...(mac === undefined ? [] : [mac])]
    let latest: CurrentBoot | undefined
    for (const key of keys) {
      const boot = this.#current.get(key)
      if (boot !== undefined && (latest === undefined || boot.last.id > latest.last.id)) latest = boot
    }
    return latest
  }

  /** The current boots of all MACs that ever booted. */
  all(): CurrentBoot[] {
    return [...new Set(this.#current.values())]
  }

  /** Events after `id`; when there is none, waits for one until `limitMs` have passed or the signal is aborted. */
  async after(
    id: number,
    options: { readonly machine?: string; readonly limitMs: number; readonly signal: AbortSignal },
  ): Promise<BootEvent[]> {
    const end = this.#now() + options.limitMs
    for (;;) {
      const seen = this.#committed
      const events = this.#store.eventsAfter(id, {
        limit: EVENTS_AT_ONCE,
        ...(options.machine === undefined ? {} : { machine: options.machine }),
      })
      const left = end - this.#now()
      if (events.length > 0 || left <= 0 || options.signal.aborted) return events
      if (seen === this.#committed) await this.#next(left, options.signal)
    }
  }

  /** The last event id on disk: where a reader begins who wants only what comes. */
  get last(): number {
    return this.#committed
  }

  #machineOf(event: NewEvent): Machine | undefined {
    const identities = this.#identities()
    const { mac, uuid } = event
    const machine = identities.machine({ mac, ...(uuid === undefined ? {} : { uuid }) })
    if (machine !== undefined) return machine
    // An operating system does not tell its UUID; its MAC was seen with one earlier in this boot.
    const known = this.#current.get(event.mac)?.machine
    return known === undefined ? undefined : identities.machine({ name: known })
  }

  #follow(boot: CurrentBoot): void {
    this.#current.set(boot.mac, boot)
    this.#current.set(boot.last.mac, boot)
    if (boot.machine !== undefined) this.#current.set(boot.machine, boot)
  }

  #resume(boot: Boot): void {
    let phase: Phase = 'new'
    let phaseSince = boot.began
    let last: BootEvent | undefined
    for (const event of this.#store.eventsOf(boot.id)) {
      const next = phaseAfter(phase, event)
      if (next !== phase) phaseSince = event.at
      phase = next
      last = event
    }
    if (last !== undefined) this.#follow({ ...boot, phase, phaseSince, last })
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

/** How many events one answer holds at most; the reader asks again with the last id. */
const EVENTS_AT_ONCE = 500

/** The name of a boot by its number, `b-001f`. */
function bootId(number: number): string {
  return `b-${number.toString(16).padStart(4, '0')}`
}

/** The detail of an event without what a client could hide in it; only `log` has more than one line. */
function cleanDetail(detail: BootEvent['detail'] = {}): BootEvent['detail'] {
  return Object.fromEntries(
    Object.entries(detail).map(([key, value]) => {
      if (typeof value !== 'string') return [key, value]
      return [key, key === 'log' ? cleanLines(value) : cleanLabel(value)]
    }),
  )
}

/** One boot as text, a line an event, with the seconds since the first: `  3.2s dhcp offer    10.20.0.11 to ...`. */
export function journalText(events: readonly BootEvent[]): string {
  const [first] = events
  if (first === undefined) return ''
  const heading = `${first.machine ?? first.mac} ${first.boot} ${new Date(first.at).toISOString()}\n`
  const lines = events.map(event => {
    const seconds = ((event.at - first.at) / 1000).toFixed(1).padStart(6)
    return `${seconds}s ${event.layer.padEnd(4)} ${event.kind.padEnd(8)} ${event.text}\n`
  })
  return heading + lines.join('')
}
