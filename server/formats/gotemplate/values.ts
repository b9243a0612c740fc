// The values that templates work on, and how Go's types are kept apart in them: a number of the metadata is a `number`
// (Go's float64, as encoding/json makes it), a whole number written in a template is a `bigint` (Go's int); what has no
// type of its own here is a `Scalar`.

import { BadCall } from './failure.ts'

/** A value; `null` is Go's nil and also what is not there. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Value[]
  | ValueMap
  | TextMap
  | Float64
  | Complex128
  | Uint8

/** A map of anything: `map[string]interface{}`. */
export type ValueMap = { readonly [key: string]: Value }

/** A map of texts: `map[string]string`, where a missing key gives the empty text. */
export class TextMap {
  readonly entries: Readonly<Record<string, string>>

  constructor(entries: Readonly<Record<string, string>>) {
    this.entries = entries
  }
}

/** A number with a point or an exponent that is written in the template. Unlike one of the metadata it is printed as in Go. */
export class Float64 {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** A number with an imaginary part, which only templates have. */
export class Complex128 {
  readonly real: number
  readonly imaginary: number

  constructor(real: number, imaginary: number) {
    this.real = real
    this.imaginary = imaginary
  }
}

/** A byte of a text, which `index` gives. */
export class Uint8 {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** Numbers that are objects. */
type Scalar = Float64 | Complex128 | Uint8

function isScalar(value: object): value is Scalar {
  return value instanceof Float64 || value instanceof Complex128 || value instanceof Uint8
}

/** The number of a float64 of either origin. */
export function floatOf(value: Value): number | undefined {
  if (typeof value === 'number') return value
  return value instanceof Float64 ? value.value : undefined
}

/** The number of an int or a byte. */
export function wholeOf(value: Value): bigint | undefined {
  if (typeof value === 'bigint') return value
  return value instanceof Uint8 ? BigInt(value.value) : undefined
}

/** Says whether a value is a map of either kind. */
export function isMap(value: Value): value is ValueMap | TextMap {
  return typeof value === 'object' && value !== null && !isList(value) && !isScalar(value)
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
  if (value instanceof Complex128) return value.real !== 0 || value.imaginary !== 0
  return Boolean(floatOf(value) ?? wholeOf(value) ?? value)
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
  if (value instanceof Float64) return 'float64'
  if (value instanceof Complex128) return 'complex128'
  if (value instanceof Uint8) return 'uint8'
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
  const index = wholeOf(value)
  if (index === undefined)
    throw new BadCall(`an index must be a whole number of the template, not ${typeName(value)}`)
  if (index < 0n || index > BigInt(length)) throw new BadCall(`index out of range: ${index}`)
  return Number(index)
}
