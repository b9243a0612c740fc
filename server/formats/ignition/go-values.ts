// What Go's encoding/json makes of a JSON text where there is no type to decode into: the metadata of a group.

import type { Node } from './tree.ts'

/** A number that no float64 is; Go refuses the whole text for it. */
export class NumberTooLarge extends Error {
  readonly code = 'NUMBER_TOO_LARGE'
  readonly at: number
  constructor(text: string, at: number) {
    super(`the number ${text.length > 40 ? `${text.slice(0, 40)}…` : text} is too large`)
    this.at = at
  }
}

/**
 * The value of a tree. Of a key that is there several times the last value counts.
 *
 * @throws {NumberTooLarge}
 */
export function goValueOf(node: Node): unknown {
  switch (node.kind) {
    case 'null':
      return null
    case 'object':
      return Object.fromEntries(node.members.map(({ key, value }) => [key, goValueOf(value)]))
    case 'list':
      return node.items.map(goValueOf)
    case 'number':
      if (!Number.isFinite(node.value)) throw new NumberTooLarge(node.text, node.at)
      return node.value
    default:
      return node.value
  }
}
