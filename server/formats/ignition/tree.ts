// What a config was read from, with places: the shape that JSON and YAML share, so that one reader takes both and
// every finding can name its line and column.

import type { Place } from '#model/fault.ts'
import { foldedName } from './go-names.ts'

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
  const starts = lineStarts(text)
  let first = 0
  let last = starts.length - 1
  while (first < last) {
    const middle = Math.ceil((first + last) / 2)
    if ((starts[middle] ?? 0) <= offset) first = middle
    else last = middle - 1
  }
  return { line: first + 1, column: offset - (starts[first] ?? 0) + 1 }
}

/** The offset of each line of a text. Those of the last text are kept for the findings of the same turn. */
function lineStarts(text: string): readonly number[] {
  if (lastText?.text !== text) {
    const starts = [0]
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
    lastText = { text, starts }
    queueMicrotask(() => (lastText = undefined))
    return starts
  }
  return lastText.starts
}

let lastText: { readonly text: string; readonly starts: readonly number[] } | undefined

/**
 * The offset of the value at `path`, or of its nearest ancestor that was written down. Where a key is there twice: of the one
 * under which more of the path is found; of two alike, the last one in the same letters.
 */
export function offsetOf(root: Node, path: Path): number {
  return furthest(root, path, 0).at
}

function furthest(node: Node, path: Path, depth: number): { readonly at: number; readonly depth: number } {
  let best = { at: node.at, depth }
  const step = path[depth]
  if (step === undefined) return best
  for (const next of nodesAt(node, step)) {
    const found = furthest(next, path, depth + 1)
    if (found.depth >= best.depth) best = found
  }
  return best
}

/** A path as it is written in messages: `storage.files[0].path`. */
export function pathText(path: Path): string {
  if (path.length === 0) return 'the config'
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`),
    '',
  )
}

function nodesAt(node: Node, step: string | number): readonly Node[] {
  if (typeof step === 'number') {
    const item = node.kind === 'list' ? node.items[step] : undefined
    return item === undefined ? [] : [item]
  }
  if (node.kind !== 'object') return []
  const others = node.members.filter(({ key }) => key !== step && foldedName(key) === foldedName(step))
  const exact = node.members.filter(({ key }) => key === step)
  return [...others, ...exact].map(({ value }) => value)
}
