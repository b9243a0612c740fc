// Who is behind a client's address: what lets a plain file download become an event of somebody's boot, and keeps a
// curious curl out of the journal.

import type { AssetKind } from '../render/ipxe.ts'

/** How many boots are remembered at a time; the oldest is forgotten first. */
const REMEMBERED = 50_000

/** The machines' addresses as DHCP gave them, or, where somebody else's DHCP did, as their boot requests showed them. */
export class Clients {
  readonly #leaseOf: (address: string) => string | undefined
  readonly #servesDhcp: () => boolean
  readonly #seen = new Map<
    string,
    { readonly mac: string; readonly assets: ReadonlyMap<string, AssetKind> }
  >()

  /**
   * @param leaseOf the MAC that our DHCP server leased an address to
   * @param servesDhcp says whether our DHCP server gives all addresses of the network
   */
  constructor(leaseOf: (address: string) => string | undefined, servesDhcp: () => boolean) {
    this.#leaseOf = leaseOf
    this.#servesDhcp = servesDhcp
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
    return this.#leaseOf(address) ?? this.#seen.get(address)?.mac
  }

  /** What the file at `path` is for the machine at `address`: undefined for files that its script did not name. */
  assetOf(address: string, path: string): { readonly mac: string; readonly kind: AssetKind } | undefined {
    const seen = this.#seen.get(address)
    const kind = seen?.assets.get(path)
    return seen && kind && { mac: seen.mac, kind }
  }

  /** Says whether a request from `address` may be the machine's own. Where we do not give the addresses, it always may. */
  mayBe(
    address: string,
    { macs, address: reserved }: { macs: readonly string[]; address?: string },
  ): boolean {
    if (!this.#servesDhcp()) return true
    const mac = this.#leaseOf(address)
    return mac === undefined ? address === reserved : macs.includes(mac)
  }
}
