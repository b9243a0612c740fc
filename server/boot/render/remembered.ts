// Results that depend on a text alone, kept while there is room: a rack of machines gets the same config again and again.

/** Characters that are kept, of texts and results together. */
const ROOM = 16 << 20

/** The result for a text; `size` is about how many characters it takes, and it is not kept without one. */
export type Made<T> = { readonly value: T; readonly size?: number }

/** `make`, which is asked only once for a text, as long as there is room; the text that was not asked for longest goes first. */
export function remembered<T>(make: (text: string) => Made<T>, room = ROOM): (text: string) => T {
  const kept = new Map<string, { readonly value: T; readonly size: number }>()
  let used = 0
  const forget = (text: string) => {
    used -= kept.get(text)?.size ?? 0
    kept.delete(text)
  }
  return text => {
    const known = kept.get(text)
    if (known !== undefined) {
      kept.delete(text)
      kept.set(text, known) // the latest is last
      return known.value
    }
    const { value, size } = make(text)
    if (size === undefined) return value
    kept.set(text, { value, size: size + text.length })
    used += size + text.length
    for (const oldest of kept.keys()) {
      if (used <= room) break
      forget(oldest)
    }
    return value
  }
}
