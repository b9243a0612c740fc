// Which groups of a profile are rendered when there are too many of them: those that differ most from others.

import type { Group } from '#model/group.ts'

/** Values of one key that are told apart: a role or a rack has few, a name or an address as many as there are machines. */
const FEW = 20

/**
 * At most `most` of the groups: first each that shows something new (a set of keys, the type of a value, or one of the few
 * values that a key has), then the others, each in the order given. Its cost grows with the number of groups alone.
 */
export function representatives<T>(
  items: readonly T[],
  groupOf: (item: T) => Pick<Group, 'metadata' | 'selector'>,
  most: number,
): readonly T[] {
  if (items.length <= most) return items
  const described = items.map(item => ({ item, pairs: pairsOf(groupOf(item)) }))
  const values = new Map<string, Set<string>>()
  for (const { pairs } of described) {
    for (const [key, value] of pairs) {
      const known = values.get(key) ?? new Set()
      if (known.size <= FEW) known.add(value)
      values.set(key, known)
    }
  }
  const seen = new Set<string>()
  const isNew = (pairs: readonly Pair[]) => {
    const before = seen.size
    seen.add(JSON.stringify(pairs.map(([key]) => key)))
    for (const [key, value, type] of pairs) {
      seen.add(`${key}\0${type}`)
      if ((values.get(key)?.size ?? 0) <= FEW) seen.add(`${key}\0${type}\0${value}`)
    }
    return seen.size > before
  }
  const fresh: T[] = []
  const rest: T[] = []
  for (const { item, pairs } of described) (isNew(pairs) ? fresh : rest).push(item)
  return [...fresh, ...rest].slice(0, most)
}

type Pair = readonly [key: string, value: string, type: string]

function pairsOf({ metadata = {}, selector = {} }: Pick<Group, 'metadata' | 'selector'>): Pair[] {
  return [...Object.entries(metadata), ...Object.entries(selector)]
    .map(([key, value]): Pair => {
      const text = typeof value === 'string' ? value : JSON.stringify(value)
      return [key, text.slice(0, 100), Array.isArray(value) ? 'list' : typeof value]
    })
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
}
