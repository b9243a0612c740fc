// The order in which groups are tried: Matchbox's, below an explicit priority.

import type { Group } from '#model/group.ts'
import { compareBytes } from '#model/order.ts'
import { selectorTexts } from '#model/selector.ts'

/** A group with what decides its place. */
export type Ranked = {
  readonly group: Group
  readonly priority: number
  /** How many labels it asks for. */
  readonly size: number
  /** Its requirements as one text, sorted. */
  readonly text: string
  /** What decides between identical selectors: the lesser goes first. */
  readonly order: string
}

/** A group with its place; `order` distinguishes it from others with the same selector: the name of its file, in Matchbox. */
export function ranked(group: Group, order: string): Ranked {
  const texts = Object.entries(selectorTexts(group.selector ?? {})).map(([key, value]) => `${key}=${value}`)
  const text = texts.length > 1 ? texts.toSorted(compareBytes).join(',') : (texts[0] ?? '')
  return { group, priority: group.priority ?? 0, size: texts.length, text, order }
}

/** Less than 0 when `a` is tried before `b`: greater priority, more requirements, then the text that sorts last. */
export function compareRanked(a: Ranked, b: Ranked): number {
  return compareTier(a, b) || compareBytes(b.text, a.text) || compareBytes(a.order, b.order)
}

/** As `compareRanked`, but groups of one priority with as many requirements are equal. */
export function compareTier(a: Ranked, b: Ranked): number {
  return b.priority - a.priority || b.size - a.size
}
