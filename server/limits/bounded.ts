// Maps and sets that grow with those who ask, and what keeps them small.

/** Removes from a map or set what was put into it first, until it has `most` at the most. */
export function keepLast<K>(kept: Map<K, unknown> | Set<K>, most: number): void {
  if (kept.size <= most) return // nearly always: no iterator is made then
  for (const key of kept.keys()) {
    kept.delete(key)
    if (kept.size <= most) return
  }
}
