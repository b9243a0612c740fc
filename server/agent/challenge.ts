// A challenge: random bytes that are sealed to a machine's key, which only its holder can answer with.

import { randomBytes, timingSafeEqual } from 'node:crypto'

/** A random answer that a machine must give back: 32 bytes in base64url. */
export function newAnswer(): string {
  return randomBytes(32).toString('base64url')
}

/** Compares in constant time, so the time does not show where the two differ. */
export function isSameAnswer(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
