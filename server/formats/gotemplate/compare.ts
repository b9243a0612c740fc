// How values are compared: only with their own kind, as Go does, so `eq .count 3` of metadata and literal is refused.

import { BadCall } from './failure.ts'
import { compareTexts, isList, isMap, typeName, type Value } from './values.ts'

/**
 * `eq` of two values.
 *
 * @throws {BadCall} when they are of different kinds, or are lists or maps
 */
export function isEqual(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b
  if (isList(a) || isMap(a) || isList(b) || isMap(b) || typeof a !== typeof b) throw incomparable(a, b)
  return a === b
}

/**
 * `lt` of two values.
 *
 * @throws {BadCall} when they are of different kinds, or of one that has no order
 */
export function isLess(a: Value, b: Value): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a < b
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b) < 0
  throw incomparable(a, b)
}

function incomparable(a: Value, b: Value): BadCall {
  const hint =
    new Set([typeof a, typeof b]).size === 2 && [a, b].every(value => /^(number|bigint)$/.test(typeof value))
      ? '; write the number with a point, as in 2.0'
      : ''
  return new BadCall(`${typeName(a)} and ${typeName(b)} cannot be compared${hint}`)
}
