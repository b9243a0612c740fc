// Copies of machines: the MAC or the UUID of a machine that runs, seen elsewhere at the same time.
//
// A packet alone proves little, since a machine that boots again, perhaps by another of its network cards, sends the
// same. So it is kept as a sighting, and becomes an alarm once the machine shows that it still runs in the same boot:
// its address answers, or the token of that boot is used. Nothing here changes what a machine is given.

import type { Machine } from '#model/machine.ts'
import type { Occurrence } from './occurrences.ts'
import { isOfFirmware } from './firmware.ts'
import { keepLast } from '../limits/bounded.ts'

/** One sign that a copy of a machine runs elsewhere. */
export type Sighting = {
  readonly machine: Machine
  /**
   * `uuid`: DHCP of firmware with its UUID and another MAC. `mac`: DHCP of firmware with its MAC. `address`: DHCP with its
   * MAC, for another address than its own. `request`: HTTP in its name from another address. `token`: its token from
   * another address.
   */
  readonly as: (typeof KINDS)[number]
  readonly layer: Occurrence['layer']
  /** The sender: an IPv4 address for HTTP, a MAC for DHCP. */
  readonly from: string
  /** What was seen, as the beginning of a sentence. */
  readonly text: string
}

/** What the watch needs of the service. */
export type CopiesNeeds = {
  /** The boot that a machine runs in: the last that its bundle was given to, or that was ready. */
  readonly runningBoot: (machine: string) => string | undefined
  /** Says whether a host answers at an address; undefined when it cannot be probed now. */
  readonly isUp: (address: string) => Promise<boolean> | undefined
  /** Whether a machine may run at another address than its declared one. */
  readonly isElsewhere: () => boolean
  /** The MAC in whose journal a machine's alarms are. */
  readonly macOf: (machine: Machine) => string
  readonly raise: (alarm: Occurrence) => void
  /** Milliseconds that only grow. */
  readonly clock: () => number
}

const KINDS = ['uuid', 'mac', 'address', 'request', 'token'] as const
/** Milliseconds between two alarms about the same machine and kind of sighting. */
const QUIET_MS = 10 * 60_000
/** Milliseconds between two probes of a machine's address. */
const LOOK_MS = 10_000
/** How many machines, with a kind of sighting, are remembered; the oldest is forgotten first. */
const REMEMBERED = 10_000

/** The address of a DHCP client that does not have one yet. */
const NOWHERE = '0.0.0.0'

type Pending = Sighting & { readonly boot: string; readonly lookedAt: number }

/** Watches for copies of machines that run. */
export class Copies {
  readonly #needs: CopiesNeeds
  /** Sightings that nothing has confirmed yet, by machine and kind. */
  readonly #pending = new Map<string, Pending>()
  /** When the last alarm was raised, by machine and kind. */
  readonly #raised = new Map<string, number>()
  /** Where DHCP shows nothing: the address that a boot's token was used from, by machine. */
  readonly #homes = new Map<string, { readonly boot: string; readonly address: string }>()

  constructor(needs: CopiesNeeds) {
    this.#needs = needs
  }

  /** Records a sighting. Does nothing when the machine does not run, or when the sender has the machine's own address. */
  saw(sighting: Sighting): void {
    const { machine, as, from } = sighting
    const key = keyOf(machine.name, as)
    const now = this.#needs.clock()
    const home = this.#homeOf(machine)
    if (home === from || this.#isQuiet(key, now)) return
    const boot = this.#needs.runningBoot(machine.name)
    if (boot === undefined) return
    const before = this.#pending.get(key)
    const isLookedAt = before?.boot === boot && now - before.lookedAt < LOOK_MS
    // A rebooted machine has its address again before we could look: for its own MAC only its token says anything.
    const looks = as !== 'mac' && home !== undefined && !isLookedAt
    const lookedAt = looks ? now : (before?.lookedAt ?? -Infinity)
    remember(this.#pending, key, { ...sighting, boot, lookedAt })
    if (looks) void this.#needs.isUp(home)?.then(isUp => this.#looked(key, { boot, isUp, home }))
  }

  /**
   * A machine that is installed started again: what was seen of its firmware was its own. It says so with the token that it had
   * before, so only sightings of that kind are forgotten.
   */
  rebooted({ name }: Machine): void {
    this.#pending.delete(keyOf(name, 'mac'))
    this.#pending.delete(keyOf(name, 'uuid'))
  }

  /** A machine used the token of a boot, from an address: what was seen elsewhere since is a copy of it. */
  alive(machine: Machine, { boot, address }: { readonly boot: string; readonly address: string }): void {
    for (const as of KINDS) {
      const key = keyOf(machine.name, as)
      const pending = this.#pending.get(key)
      if (pending === undefined || as === 'token') continue
      this.#pending.delete(key)
      // Of another boot it was the machine itself, which booted again.
      if (pending.boot === boot && pending.from !== address) this.#raise(key, pending, address)
    }
    if (!this.#needs.isElsewhere()) return
    const home = this.#homes.get(machine.name)
    if (home?.boot !== boot) return remember(this.#homes, machine.name, { boot, address })
    if (home.address === address) return
    const text = `${address} uses the token of ${machine.name}`
    this.saw({ machine, as: 'token', layer: 'http', from: address, text })
  }

  #looked(
    key: string,
    { boot, isUp, home }: { readonly boot: string; readonly isUp: boolean; readonly home: string },
  ): void {
    const pending = this.#pending.get(key)
    if (pending?.boot !== boot) return
    if (isUp) {
      this.#pending.delete(key)
      return this.#raise(key, pending, home)
    }
    const { machine, as, from: address } = pending
    if (as === 'token') remember(this.#homes, machine.name, { boot, address }) // another DHCP server moved it
  }

  #raise(key: string, { machine, as, layer, from, text, boot }: Pending, home: string): void {
    const now = this.#needs.clock()
    if (this.#isQuiet(key, now)) return
    remember(this.#raised, key, now)
    this.#needs.raise({
      kind: 'copied',
      mac: this.#needs.macOf(machine),
      machine: machine.name,
      layer,
      reason: as,
      text: `${text}, while ${machine.name} runs in boot ${boot} at ${home}. Find the other host by its switch port: it copies ${machine.name}`,
      detail: { from },
      boot,
    })
  }

  #isQuiet(key: string, now: number): boolean {
    const raised = this.#raised.get(key)
    return raised !== undefined && now - raised < QUIET_MS
  }

  #homeOf({ name, address }: Machine): string | undefined {
    return this.#needs.isElsewhere() ? this.#homes.get(name)?.address : address
  }
}

/** The sighting in a DHCP event whose sender is not, or may not be, the machine itself. */
export function sightingIn(
  event: {
    readonly mac: string
    readonly uuidOf?: string
    readonly layer: 'dhcp'
    readonly kind: string
    readonly detail: Readonly<Record<string, string | number>>
  },
  machineNamed: (name: string) => Machine | undefined,
): Sighting | undefined {
  const { mac, uuidOf, layer, kind, detail } = event
  if (kind !== 'discover' && kind !== 'request' && kind !== 'inform') return undefined
  const name = uuidOf ?? detail['machine']
  const machine = typeof name === 'string' ? machineNamed(name) : undefined
  if (machine === undefined) return undefined
  const { address = NOWHERE } = detail
  if (uuidOf === undefined && address !== NOWHERE && address !== machine.address) {
    const text = `${mac}, the MAC of ${machine.name}, asks DHCP for ${address}`
    return { machine, as: 'address', layer, from: mac, text }
  }
  if (!isOfFirmware(event) || kind === 'inform') return undefined
  const [as, what] = uuidOf === undefined ? (['mac', 'MAC'] as const) : (['uuid', 'UUID'] as const)
  const text = `firmware at ${mac} asks DHCP with the ${what} of ${machine.name}`
  return { machine, as, layer, from: mac, text }
}

function keyOf(machine: string, as: Sighting['as']): string {
  return `${machine} ${as}`
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  keepLast(map, REMEMBERED)
}
