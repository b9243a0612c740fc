// The values that templates work on, and how Go's types are kept apart in them: a number of the metadata is a `number`
// (Go's float64, as encoding/json makes it), a whole number written in a template is a `bigint` (Go's int).

import { BadCall } from './failure.ts'

/** A value; `null` is Go's nil and also what is not there. */
export type Value = null | boolean | number | bigint | string | readonly Value[] | ValueMap | TextMap

/** A map of anything: `map[string]interface{}`. */
export type ValueMap = { readonly [key: string]: Value }

/** A map of texts: `map[string]string`, where a missing key gives the empty text. */
export class TextMap {
  readonly entries: Readonly<Record<string, string>>

  constructor(entries: Readonly<Record<string, string>>) {
    this.entries = entries
  }
}

/** Says whether a value is a map of either kind. */
export function isMap(value: Value): value is ValueMap | TextMap {
  return typeof value === 'object' && value !== null && !isList(value)
}

/** Says whether a value is a list. */
export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

/** The entries of a map by the byte order of their keys, which is how Go walks and prints it. */
export function sortedEntries(map: ValueMap | TextMap): [string, Value][] {
  const entries: Readonly<Record<string, Value>> = map instanceof TextMap ? map.entries : map
  return Object.entries(entries).toSorted(([a], [b]) => compareTexts(a, b))
}

/** The value under `key`, or undefined when the map has no such key. */
export function entryOf(map: ValueMap | TextMap, key: string): Value | undefined {
  const entries: Readonly<Record<string, Value>> = map instanceof TextMap ? map.entries : map
  return Object.hasOwn(entries, key) ? entries[key] : undefined
}

/** Go's truth: false for false, zero, nil and anything empty; true otherwise. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0
  if (isMap(value)) return sizeOf(value) > 0
  return Boolean(value)
}

/** How many entries a map has. */
export function sizeOf(map: ValueMap | TextMap): number {
  return Object.keys(map instanceof TextMap ? map.entries : map).length
}

/** What a value holds: values in it, itself included, and the characters of all its texts. */
export function weightOf(value: Value): { values: number; characters: number } {
  if (typeof value === 'string') return { values: 1, characters: value.length }
  const weight = { values: 1, characters: 0 }
  const inner = isList(value) ? value : isMap(value) ? sortedEntries(value).flat() : []
  for (const item of inner) {
    const { values, characters } = weightOf(item)
    weight.values += values
    weight.characters += characters
  }
  return weight
}

/** The name of a value's type in Go. */
export function typeName(value: Value): string {
  if (value === null) return '<nil>'
  if (isList(value)) return '[]interface {}'
  if (value instanceof TextMap) return 'map[string]string'
  return TYPE_NAMES[typeof value] ?? 'map[string]interface {}'
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  boolean: 'bool',
  number: 'float64',
  bigint: 'int',
  string: 'string',
}

/** Sorts texts as their UTF-8 bytes sort. */
export function compareTexts(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/**
 * Reads a value as an index of something with `length` items.
 *
 * @throws {BadCall} unless it is a whole number written in the template, from 0 to `length`
 */
export function indexOf(value: Value, length: number): number {
  if (typeof value !== 'bigint')
    throw new BadCall(`an index must be a whole number of the template, not ${typeName(value)}`)
  if (value < 0n || value > BigInt(length)) throw new BadCall(`index out of range: ${value}`)
  return Number(value)
}
