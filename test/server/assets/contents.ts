// What add-for-ever.ts adds: each turn has its own bytes.

/** The names, in turn. */
export const NAMES = ['a', 'b/c', 'b/d/e', 'f'] as const

/** The bytes of a turn; every third has those of an earlier one. */
export function contentOf(turn: number): Buffer {
  return Buffer.alloc(300_000, `turn ${turn % 3 === 2 ? turn % 5 : turn} `)
}
