// The order in which groups are tried: Matchbox's, below an explicit priority.

import type { Group } from '../inventory/objects.ts'
import { selectorTexts } from './requirement.ts'

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

/** A group with its place; `order` tells it from others of the same selector: the name of its file, in Matchbox. */
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

/** Compares texts by their bytes in UTF-8, as Go does. In UTF-16 only surrogates stand elsewhere. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at += 1) {
    const one = a.charCodeAt(at)
    const other = b.charCodeAt(at)
    if (one !== other) return byteRank(one) - byteRank(other)
  }
  return a.length - b.length
}

/** Surrogates stand for what is above U+FFFF, and so above every single unit. */
function byteRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
