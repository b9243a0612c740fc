// Fields of an object of the model that the site file has as they are: read by what their schema says.

import { readObject } from '#model/check.ts'
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
