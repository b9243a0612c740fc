// What is kept of a machine, or of a disk, for each address that asked in its name: a host at another address must not displace the machine's.

/** Addresses that are kept of one thing; the one that asked first is forgotten first, never the declared one. */
const ADDRESSES = 64

/** A value for each address, by what it is about. */
export class ByAddress<T> {
  readonly #all = new Map<string, Map<string, T>>()

  get(id: string, address: string): T | undefined {
    return this.#all.get(id)?.get(address)
  }

  /** @param declared the address that is never forgotten */
  set(id: string, address: string, value: T, declared: string | undefined): void {
    const all = this.#all.get(id) ?? new Map<string, T>()
    this.#all.set(id, all)
    all.delete(address)
    all.set(address, value)
    if (all.size <= ADDRESSES) return
    const first = [...all.keys()].find(one => one !== declared)
    if (first !== undefined) all.delete(first)
  }

  delete(id: string): void {
    this.#all.delete(id)
  }
}
