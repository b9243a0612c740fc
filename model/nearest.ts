// What someone may have meant by a word that is not known.

/** The allowed word nearest to what was written: the same in another case, or one within two edits. */
export function nearest(written: string, allowed: readonly string[]): string | undefined {
  const same = allowed.find(word => word.toLowerCase() === written.toLowerCase())
  if (same !== undefined) return same
  const ranked = allowed.map(word => ({ word, edits: editDistance(written, word) }))
  return ranked.filter(({ edits }) => edits <= 2).toSorted((a, b) => a.edits - b.edits)[0]?.word
}

function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [i, letter] of Array.from(from).entries()) {
    const next = [i + 1]
    for (const [j, other] of Array.from(to).entries()) {
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (letter === other ? 0 : 1))) // in bounds
    }
    row = next
  }
  return row[to.length]! // the row has to.length + 1 entries
}
