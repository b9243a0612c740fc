// Challenges: random bytes that are sealed to a machine's key, which only its holder can answer with.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { ByAddress } from '../limits/by-address.ts'

/** Challenges that are good at once for one address. */
const CHALLENGES = 16

/** A random answer that a machine must give back: 32 bytes in base64url. */
export function newAnswer(): string {
  return randomBytes(32).toString('base64url')
}

/** Compares in constant time, so the time does not show where the two differ. */
export function isSameAnswer(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Challenges of machines, or of their disks, that wait for their answers, by the address that asked. */
export class Challenges<T> {
  readonly #all = new ByAddress<readonly T[]>()

  /** @param home the declared address of the machine */
  keep(
    id: string,
    { address, home }: { readonly address: string; readonly home?: string | undefined },
    one: T,
  ): void {
    this.#all.set(id, address, [one, ...this.of(id, address)].slice(0, CHALLENGES), home)
  }

  /** Those that an address asked for, the latest first. */
  of(id: string, address: string): readonly T[] {
    return this.#all.get(id, address) ?? []
  }

  forget(id: string): void {
    this.#all.delete(id)
  }
}
