// How values are compared: only with their own kind, as Go does, so `eq .count 3` of metadata and literal is refused.

import { BadCall } from './failure.ts'
import { compareTexts, Complex128, floatOf, typeName, wholeOf, type Value } from './values.ts'

/**
 * `eq` of two values.
 *
 * @throws {BadCall} when they are of different kinds, or are lists or maps
 */
export function isEqual(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b
  const [one, other] = [comparable(a), comparable(b)]
  if (one === undefined || other === undefined || typeof one !== typeof other) throw incomparable(a, b)
  if (one instanceof Complex128 && other instanceof Complex128)
    return one.real === other.real && one.imaginary === other.imaginary
  return one === other
}

/**
 * `lt` of two values.
 *
 * @throws {BadCall} when they are of different kinds, or of one that has no order
 */
export function isLess(a: Value, b: Value): boolean {
  const [one, other] = [comparable(a), comparable(b)]
  if (typeof one === 'number' && typeof other === 'number') return one < other
  if (typeof one === 'bigint' && typeof other === 'bigint') return one < other
  if (typeof one === 'string' && typeof other === 'string') return compareTexts(one, other) < 0
  throw incomparable(a, b)
}

/** A value of which two of the same type can be compared; undefined for lists, maps and nil. */
function comparable(value: Value): boolean | number | bigint | string | Complex128 | undefined {
  if (typeof value === 'boolean' || typeof value === 'string' || value instanceof Complex128) return value
  return floatOf(value) ?? wholeOf(value)
}

function incomparable(a: Value, b: Value): BadCall {
  const kinds = new Set([a, b].map(value => typeof comparable(value)))
  const hint = kinds.has('number') && kinds.has('bigint') ? '; write the number with a point, as in 2.0' : ''
  return new BadCall(`${typeName(a)} and ${typeName(b)} cannot be compared${hint}`)
}
