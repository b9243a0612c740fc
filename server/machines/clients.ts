// Which machine has a client's address: so a plain file download becomes an event of a machine's boot, and a person's curl
// stays out of the journal.

import type { Machine } from '#model/machine.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { Identities } from './identity.ts'

/** What a boot script makes a machine fetch: the kind of the event in its journal. */
export type AssetKind = 'kernel' | 'initrd' | 'rootfs'

/** Whose an address is. */
export type ClientLease = { readonly mac: string; readonly uuid?: string }

/** How many boots are remembered at a time; the oldest is forgotten first. */
const REMEMBERED = 50_000

/** The machines' addresses as DHCP gave them, or, where another server's DHCP did, as their boot requests showed them. */
export class Clients {
  readonly #identities: () => Identities
  readonly #leaseAt: (address: string) => ClientLease | undefined
  readonly #dhcp: () => ProvisioningNetwork['dhcp']
  readonly #isOpen: () => boolean
  readonly #seen = new Map<
    string,
    { readonly mac: string; readonly assets: ReadonlyMap<string, AssetKind> }
  >()

  /**
   * @param identities the declared machines
   * @param leaseAt the lease of an address; in proxy mode what a client was heard to ask another server for
   * @param dhcp whether our DHCP server gives all addresses of the network, none, or only overhears them
   * @param isOpen whether the leases are known: they are not while the server starts
   */
  constructor(
    identities: () => Identities,
    leaseAt: (address: string) => ClientLease | undefined,
    dhcp: () => ProvisioningNetwork['dhcp'],
    isOpen: () => boolean = () => true,
  ) {
    this.#identities = identities
    this.#isOpen = isOpen
    this.#leaseAt = leaseAt
    this.#dhcp = dhcp
  }

  /** How DHCP is served on the provisioning network. */
  get dhcp(): ProvisioningNetwork['dhcp'] {
    return this.#dhcp()
  }

  /** Whether the leases are known. */
  get isOpen(): boolean {
    return this.#isOpen()
  }

  /** The lease of an address, as DHCP gave it or overheard it. */
  leaseAt(address: string): ClientLease | undefined {
    return this.#leaseAt(address)
  }

  /** Remembers that a machine at `address` got a script that makes it fetch `assets`. */
  booted(address: string, mac: string, assets: ReadonlyMap<string, AssetKind>): void {
    this.#seen.delete(address)
    this.#seen.set(address, { mac, assets })
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= REMEMBERED) break
      this.#seen.delete(oldest)
    }
  }

  /** The MAC behind an address. */
  macOf(address: string): string | undefined {
    return this.#leaseAt(address)?.mac ?? this.#seen.get(address)?.mac
  }

  /**
   * Who is at an address: the machine of the MAC that its request names, or else of the MAC behind it; where that is not
   * declared, the machine whose address it is. Any of it may be wrong: it is for logs, and for who is served first.
   */
  whoIsAt(
    address: string,
    named?: string,
  ): { readonly mac: string | undefined; readonly machine: Machine | undefined } {
    const mac = named ?? this.macOf(address)
    return { mac, machine: this.#identities().machine({ mac, address }) }
  }

  /** What the file at `path` is for the machine at `address`: undefined for files that its script did not name. */
  assetOf(address: string, path: string): { readonly mac: string; readonly kind: AssetKind } | undefined {
    const seen = this.#seen.get(address)
    const kind = seen?.assets.get(path)
    return seen && kind && { mac: seen.mac, kind }
  }

  /**
   * Says whether a request from `address` may be written into the machine's journal. Where we do not give the addresses,
   * one of which nothing is known always may; that does not prove who sent it (`agent/proof.ts` asks for one).
   */
  mayBe(
    address: string,
    { macs, address: reserved }: { macs: readonly string[]; address?: string },
  ): boolean {
    const dhcp = this.#dhcp()
    if (dhcp === 'off') return true
    const mac = this.#leaseAt(address)?.mac
    if (mac === undefined) return dhcp === 'proxy' || address === reserved
    return macs.includes(mac)
  }
}
