// What a config was read from, with places: the shape that JSON and YAML share, so that one reader takes both and
// every finding can name its line and column.

import type { Place } from '#model/fault.ts'

/** A value of a document. `at` is the offset of its first character in the text. */
export type Node =
  | { readonly kind: 'object'; readonly at: number; readonly members: readonly Member[] }
  | { readonly kind: 'list'; readonly at: number; readonly items: readonly Node[] }
  | { readonly kind: 'string'; readonly at: number; readonly value: string }
  /** `text` is the number as written: Go distinguishes `420` from `420.0`, and so must we. */
  | { readonly kind: 'number'; readonly at: number; readonly value: number; readonly text: string }
  | { readonly kind: 'boolean'; readonly at: number; readonly value: boolean; readonly text: string }
  | { readonly kind: 'null'; readonly at: number }

/** Each kind of value in a person's words. */
export const KIND_NAMES = {
  object: 'an object',
  list: 'a list',
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  null: 'null',
} as const satisfies Readonly<Record<Node['kind'], string>>

/** One key of an object and its value. */
export type Member = { readonly key: string; readonly at: number; readonly value: Node }

/** The way to a value: keys and indexes from the root. */
export type Path = readonly (string | number)[]

/** Line and column of an offset; a column counts UTF-16 units. */
export function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset)
  const start = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: offset - start + 1 }
}

/** The offset of the value at `path`, or of its nearest ancestor that was written down. */
export function offsetOf(root: Node, path: Path): number {
  let node = root
  for (const step of path) {
    const next = typeof step === 'number' ? itemOf(node, step) : memberOf(node, step)?.value
    if (next === undefined) return node.at
    node = next
  }
  return node.at
}

/** The offset of the key that ends `path`; of the nearest value that was written down, where there is no such key. */
export function keyOffsetOf(root: Node, path: Path): number {
  const key = path.at(-1)
  let node: Node | undefined = root
  for (const step of path.slice(0, -1)) {
    node = node && (typeof step === 'number' ? itemOf(node, step) : memberOf(node, step)?.value)
  }
  const member = node && typeof key === 'string' ? memberOf(node, key) : undefined
  return member?.at ?? offsetOf(root, path)
}

/** A path as it is written in messages: `storage.files[0].path`. */
export function pathText(path: Path): string {
  if (path.length === 0) return 'the config'
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  )
}

function itemOf(node: Node, index: number): Node | undefined {
  return node.kind === 'list' ? node.items[index] : undefined
}

function memberOf(node: Node, key: string): Member | undefined {
  if (node.kind !== 'object') return undefined
  const exact = node.members.findLast(member => member.key === key)
  return exact ?? node.members.findLast(member => member.key.toLowerCase() === key.toLowerCase())
}
