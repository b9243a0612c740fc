// Challenges that wait for their answers, kept by the address that asked, so that a host at another address cannot displace the machine's.

/** Challenges that are good at once for one address. */
const CHALLENGES = 16
/** Addresses that have challenges of one thing; the one that asked first is forgotten first, never the machine's declared one. */
const ADDRESSES = 64

/** The challenges of machines, or of their disks. */
export class Challenges<T> {
  /** By what they are for, then by the address that asked. */
  readonly #all = new Map<string, Map<string, readonly T[]>>()

  /** @param home the declared address of the machine */
  keep(
    id: string,
    { address, home }: { readonly address: string; readonly home?: string | undefined },
    one: T,
  ): void {
    const all = this.#all.get(id) ?? new Map<string, readonly T[]>()
    this.#all.set(id, all)
    const before = all.get(address) ?? []
    all.delete(address)
    all.set(address, [one, ...before].slice(0, CHALLENGES))
    if (all.size <= ADDRESSES) return
    const first = [...all.keys()].find(it => it !== home && it !== address)
    if (first !== undefined) all.delete(first)
  }

  /** Those that an address asked for. */
  of(id: string, address: string): readonly T[] {
    return this.#all.get(id)?.get(address) ?? []
  }

  forget(id: string): void {
    this.#all.delete(id)
  }
}
