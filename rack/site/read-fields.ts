// Fields of a file in YAML: those of an object of the model, by what its schema says, and single ones, by what they may be.

import { readObject } from '#model/check.ts'
import { nearest } from '#model/nearest.ts'
import type { Schema } from '#model/schema.ts'
import type { Path, YamlReader } from './document.ts'

/** The part of a schema that describes strings, integers and booleans, without the fields of these names. */
export function scalarsOf({ properties = {}, required = [] }: Schema, except: readonly string[]): Scalars {
  const scalars = Object.entries(properties).filter(
    ([name, { type, enum: choices }]) =>
      !except.includes(name) &&
      (type === 'string' || type === 'integer' || type === 'boolean' || choices !== undefined),
  )
  const names = scalars.map(([name]) => name)
  return {
    type: 'object',
    properties: Object.fromEntries(scalars),
    required: required.filter(name => names.includes(name)),
  }
}

type Scalars = Schema & { readonly properties: Readonly<Record<string, Schema>> }

/** Reads the fields of the mapping at `path` that `schema` describes, those with a default also where they are not given. */
export function readScalars(reader: YamlReader, path: Path, schema: Scalars): Record<string, unknown> {
  const given = Object.entries(schema.properties).flatMap(([name, { type }]) => {
    const at = [...path, name]
    if (!reader.has(at)) return []
    // A text may look like a number to YAML. Where there is none, the reader has complained.
    const value = type === 'integer' || type === 'boolean' ? wrongIfEmpty(reader.plain(at)) : reader.text(at)
    return value === undefined ? [] : [[name, value] as const]
  })
  const { value, faults } = readObject(schema, Object.fromEntries(given))
  for (const { pointer, detail } of faults) {
    const name = pointer.slice(1)
    const at = [...path, name]
    const field = schema.properties[name] ?? {}
    if (given.some(([one]) => one === name)) {
      // A complaint begins with the place and ends with the remedy: no need to say either twice.
      const what = detail.replace(/; write [a-z ]+$/, '')
      reader.complain('PL-1004', at, what.replace(`${name} is `, 'is '), remedyFor(field))
    } else if (!reader.has(at)) reader.complain('PL-1003', at, 'missing', remedyFor(field))
  }
  return { ...value }
}

/** Whether `true` is at the path; false where nothing is there, or with a complaint. */
export function readBoolean(reader: YamlReader, path: Path): boolean {
  if (!reader.has(path)) return false
  const value = reader.plain(path)
  if (typeof value === 'boolean') return value
  const text = reader.isMap(path) || reader.isList(path) ? undefined : reader.text(path)
  const what = text === undefined ? 'must be true or false' : `"${text}" is neither true nor false`
  if (text !== undefined || reader.isMap(path) || reader.isList(path))
    reader.complain('PL-1004', path, what, 'write true or false, without quotes')
  return false
}

/** One of `choices` at the path; undefined when none is there, or with a complaint that guesses which was meant. */
export function choiceOf<T extends string>(
  reader: YamlReader,
  path: Path,
  choices: readonly T[],
  remedy: string,
): T | undefined {
  const text = reader.text(path)
  const found = choices.find(known => known === text)
  if (found !== undefined || text === undefined) return found
  const guess = nearest(text, choices)
  const meant = guess === undefined ? '' : `did you mean "${guess}"? `
  reader.complain('PL-1004', path, `"${text}" is none of ${choices.join(', ')}`, meant + remedy)
  return undefined
}

/** The text at the path when it has the form, and '' with a complaint otherwise. */
export function patternText(reader: YamlReader, path: Path, pattern: RegExp, wanted: string): string {
  const text = reader.requiredText(path, `write ${wanted}`)
  if (text === undefined || pattern.test(text)) return text ?? ''
  reader.complain('PL-1004', path, `"${text}" must be ${wanted}`, `write ${wanted}`)
  return ''
}

/** The whole number at the path; undefined when none is there, or with a complaint when it is none. */
export function countAt(reader: YamlReader, path: Path, least: number): number | undefined {
  const text = reader.text(path)
  if (text === undefined || (/^\d{1,9}$/.test(text) && Number(text) >= least))
    return text === undefined ? undefined : Number(text)
  reader.complain('PL-1004', path, `"${text}" must be a whole number, at least ${least}`, 'write one')
  return undefined
}

/** The word at the path; undefined when none is there, or with a complaint when it is another. */
export function oneOf<T extends string>(
  reader: YamlReader,
  path: Path,
  allowed: readonly T[],
): T | undefined {
  const text = reader.text(path)
  const found = allowed.find(word => word === text)
  if (text !== undefined && found === undefined)
    reader.complain('PL-1004', path, `"${text}" must be ${allowed.join(' or ')}`, 'write one of them')
  return found
}

/** A key without a value: null counts as absent in JSON, but here someone forgot something. */
function wrongIfEmpty(value: unknown): unknown {
  return value ?? ''
}

function remedyFor({ type, enum: choices, minimum, maximum }: Schema): string {
  if (choices !== undefined) return `write one of ${choices.join(' ')}`
  if (type === 'boolean') return 'write true or false'
  if (type !== 'integer') return 'write another text there'
  const least = minimum === undefined ? '' : ` from ${minimum}`
  return `write an integer${least}${maximum === undefined ? '' : ` to ${maximum}`}`
}
