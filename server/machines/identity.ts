// Which declared machine is this? One index, and one order in which what is known of a machine counts. DHCP, HTTP, TFTP, the
// journal and operators ask it; what they may pass, and how far it is trusted, is said here.

import { normaliseMac } from '#model/mac.ts'
import type { Machine } from '#model/machine.ts'
import { compareBytes } from '#model/order.ts'
import { otherByteOrder, plainUuid, sameUuid } from '#model/uuid.ts'

/** What is known of a machine; what is undefined is not known. */
export type Identifiers = {
  /** The name it is declared with. No client sends it: pass it for an operator, or once a proof has shown who it is. */
  readonly name?: string | undefined
  /** Lower case, colons (`normaliseMac`). */
  readonly mac?: string | undefined
  /** Its SMBIOS UUID, in any form of writing and either order of bytes. */
  readonly uuid?: string | undefined
  /** The label `serial` that it is declared with. */
  readonly serial?: string | undefined
  /** Dotted IPv4. */
  readonly address?: string | undefined
}

/**
 * The order in which identifiers count: the first that is known and finds a machine decides.
 *
 * - `name`: ours; no client can choose it.
 * - `mac`: one network port. Switches deliver by it, so two of one cannot work on one network for long.
 * - `uuid`: one board; but vendors ship placeholders and boards share UUIDs, so a MAC weighs more.
 * - `serial`: as a UUID, and more often a placeholder: one that two machines are declared with finds neither.
 * - `address`: what the machine was given, and only as long as no other host takes it.
 */
export const ORDER = [
  'name',
  'mac',
  'uuid',
  'serial',
  'address',
] as const satisfies readonly (keyof Identifiers)[]

/** The identifier that a machine was found by. */
export type KnownBy = (typeof ORDER)[number]

/**
 * How far the identifiers are trusted.
 *
 * - `as given`: every one counts. For operators, and for what a machine would be served: as in Matchbox anyone may ask for
 *   that in any name. Who gets a secret is decided by `agent/proof.ts`, not by this.
 * - `claimed`: a client says them of itself, and something is done in the machine's name: it is given an address, or an
 *   event is written into its journal. Anyone can send any UUID, so one finds only a machine that is declared by it alone,
 *   of which nothing else is known. A declared machine's UUID with another MAC finds nothing: that client is a stranger.
 *   A caller with less proof than this passes less: an address, for example, is not passed.
 */
export type IdentifierTrust = 'as given' | 'claimed'

/** A machine, and the identifier that it was found by. */
export type Found = { readonly machine: Machine; readonly by: KnownBy }

/** Finds declared machines, always among the present ones. */
export interface Identities {
  /** The machine of these identifiers; they are taken `as given` where no trust is named. */
  machine(known: Identifiers, trust?: IdentifierTrust): Machine | undefined
}

/** The declared machines by all that they are known by. Looking one up takes the same time however many there are. */
export class MachineIndex implements Identities {
  readonly #by: Readonly<Record<KnownBy, Keys>> = {
    name: new Keys(),
    mac: new Keys(),
    uuid: new Keys(),
    serial: new Keys({ isUnique: true }),
    address: new Keys(),
  }
  #revision = 0
  #byUuidAlone = 0

  constructor(machines: Iterable<Machine> = []) {
    for (const machine of machines) this.add(machine)
  }

  /** Grows with every change, so that a reader sees whether what it worked out still holds. */
  get revision(): number {
    return this.#revision
  }

  /** How many machines are declared by UUID alone: while there are none, no packet need be searched for a UUID. */
  get byUuidAlone(): number {
    return this.#byUuidAlone
  }

  /** Adds a machine; where another one has the same MAC, UUID or address, that whose name sorts last is found by it. */
  add(machine: Machine): void {
    for (const by of ORDER) for (const key of KEYS_OF[by](machine)) this.#by[by].add(key, machine)
    this.#changed(machine, 1)
  }

  /** Removes a machine, the very object that was added. */
  remove(machine: Machine): void {
    for (const by of ORDER) for (const key of KEYS_OF[by](machine)) this.#by[by].remove(key, machine)
    this.#changed(machine, -1)
  }

  /** Finds the machine of these identifiers, and says by which of them. */
  find(known: Identifiers, trust: IdentifierTrust = 'as given'): Found | undefined {
    for (const by of ORDER) {
      const value = known[by]
      if (value === undefined) continue
      const machine = this.#by[by].get(by === 'uuid' ? plainUuid(value) : value)
      if (machine === undefined) continue
      if (by === 'uuid' && trust === 'claimed' && !isKnownByUuidAlone(machine)) continue
      return { machine, by }
    }
    return undefined
  }

  /** The machine of these identifiers. */
  machine(known: Identifiers, trust: IdentifierTrust = 'as given'): Machine | undefined {
    return this.find(known, trust)?.machine
  }

  #changed(machine: Machine, more: 1 | -1): void {
    this.#revision += 1
    if (isKnownByUuidAlone(machine)) this.#byUuidAlone += more
  }
}

/** What an operator means by one word: the name of a machine, or any other identifier. */
export function identifiersIn(word: string): Identifiers {
  return { name: word, mac: normaliseMac(word), uuid: word, serial: word, address: word }
}

/**
 * Says whether a machine is declared by its UUID alone. Any MAC may be its own then, and its UUID, which anyone can send,
 * is all that it can be found by: what is done in its name needs more, a lease that was bound with that UUID.
 */
export function isKnownByUuidAlone({ macs }: Pick<Machine, 'macs'>): boolean {
  return macs.length === 0
}

/** Says whether a lease is that of a machine: of one of its MACs; for one known by UUID alone, bound with that UUID. */
export function isLeaseOf(
  { macs, uuid }: Pick<Machine, 'macs' | 'uuid'>,
  lease: { readonly mac: string; readonly uuid?: string | undefined },
): boolean {
  if (!isKnownByUuidAlone({ macs })) return macs.includes(lease.mac)
  return uuid !== undefined && lease.uuid !== undefined && sameUuid(lease.uuid, uuid)
}

/** The texts that a machine is found by. */
const KEYS_OF: Readonly<Record<KnownBy, (machine: Machine) => Iterable<string>>> = {
  name: ({ name }) => [name],
  mac: ({ macs }) => new Set(macs),
  uuid: ({ uuid }) => (uuid === undefined ? [] : bothByteOrders(uuid)),
  serial: ({ labels: { serial = '' } }) => (serial === '' ? [] : [serial]),
  address: ({ address }) => [address],
}

/** Firmware does not agree on one. */
function bothByteOrders(uuid: string): Iterable<string> {
  const plain = plainUuid(uuid)
  return new Set([plain, otherByteOrder(plain)])
}

/** Machines by one kind of identifier. */
class Keys {
  readonly #isUnique: boolean
  readonly #machines = new Map<string, Machine>()
  /** All machines of a key that more than one has, by name. */
  readonly #twins = new Map<string, readonly Machine[]>()

  /** @param options.isUnique a key that more than one machine has finds none of them */
  constructor({ isUnique = false } = {}) {
    this.#isUnique = isUnique
  }

  get(key: string): Machine | undefined {
    return this.#isUnique && this.#twins.has(key) ? undefined : this.#machines.get(key)
  }

  add(key: string, machine: Machine): void {
    const before = this.#machines.get(key)
    if (before === undefined) this.#machines.set(key, machine)
    else this.#set(key, [...(this.#twins.get(key) ?? [before]), machine])
  }

  remove(key: string, machine: Machine): void {
    const others = this.#twins.get(key)?.filter(one => one !== machine)
    if (others !== undefined) this.#set(key, others)
    else if (this.#machines.get(key) === machine) this.#machines.delete(key)
  }

  #set(key: string, machines: readonly Machine[]): void {
    const sorted = machines.toSorted((a, b) => compareBytes(a.name, b.name))
    this.#machines.set(key, sorted.at(-1)!) // there is one at least
    if (sorted.length > 1) this.#twins.set(key, sorted)
    else this.#twins.delete(key)
  }
}
