// Takes the fields of a schema out of a document, with the leniency of the decoder that the machine uses: names in
// any case, null is absent, unknown names are ignored (and reported), a wrong type is an error.

import type { Finding } from './findings.ts'
import type { Field, ObjectType, Type } from './schema.ts'
import { KIND_NAMES, type Member, type Node, type Path, pathText } from './tree.ts'

/** A value by schema: only what is known, typed as the schema says. */
export type Value = string | number | boolean | readonly Value[] | Fields
export type Fields = { readonly [name: string]: Value }

/** How a document is read. */
export type Dialect = {
  /** The field that a key of the document means, if any. */
  readonly fieldOf: (type: ObjectType, key: string) => Field | undefined
  /** Says whether a key has its field's name in other letters. */
  readonly isOtherCase?: (field: Field, key: string) => boolean
  /** The value of a scalar for a field of type `wanted`; undefined when it is of another type. */
  readonly scalar: (node: Node, wanted: 'string' | 'integer' | 'boolean') => Value | undefined
}

/** Reads `root` as an object of `type`, and reports what does not fit. */
export function readFields(
  root: Node,
  type: ObjectType,
  dialect: Dialect,
): { readonly fields: Fields; readonly findings: readonly Finding[] } {
  const findings: Finding[] = []
  const value = readValue(root, type, [], { dialect, findings })
  return { fields: isFields(value) ? value : {}, findings }
}

/** How Ignition reads JSON. Fields of a later spec than 3.`spec` are unknown. */
export function ignitionDialect(spec: number): Dialect {
  return {
    fieldOf: (type, key) => {
      const known = type.fields.filter(field => field.since <= spec)
      return known.find(({ name }) => name === key) ?? known.find(({ name }) => sameName(name, key))
    },
    isOtherCase: ({ name }, key) => name !== key,
    scalar: jsonScalar,
  }
}

/** Says whether a value is an object of fields. */
export function isFields(value: Value | undefined): value is Fields {
  return typeof value === 'object' && !Array.isArray(value)
}

function jsonScalar(node: Node, wanted: 'string' | 'integer' | 'boolean'): Value | undefined {
  if (wanted === 'string') return node.kind === 'string' ? node.value : undefined
  if (wanted === 'boolean') return node.kind === 'boolean' ? node.value : undefined
  // 420.0 and 42e1 are not integers to Go.
  const isInteger = node.kind === 'number' && /^-?\d+$/.test(node.text) && isInt64(node.text)
  return isInteger ? node.value : undefined
}

type Reading = { readonly dialect: Dialect; readonly findings: Finding[] }

function readValue(node: Node, type: Type, path: Path, reading: Reading): Value | undefined {
  if (node.kind === 'null') return undefined
  if (typeof type === 'string') {
    const value = reading.dialect.scalar(node, type)
    if (value === undefined) wrongType(node, NAMES[type], path, reading)
    return value
  }
  if ('list' in type) {
    if (node.kind !== 'list') return wrongType(node, 'a list', path, reading)
    return node.items.map((item, index) => {
      const value = readValue(item, type.list, [...path, index], reading)
      return value ?? EMPTY_OF[typeof type.list === 'string' ? type.list : 'object']
    })
  }
  if (node.kind !== 'object') return wrongType(node, 'an object', path, reading)
  return readObject(node.members, type, path, reading)
}

function readObject(members: readonly Member[], type: ObjectType, path: Path, reading: Reading): Fields {
  const fields: Record<string, Value> = {}
  for (const { key, value: node } of members) {
    const field = reading.dialect.fieldOf(type, key)
    if (field === undefined) {
      const message = 'this key is not known, and is ignored'
      reading.findings.push({ severity: 'warning', kind: 'unknown-key', path: [...path, key], message })
      continue
    }
    if (reading.dialect.isOtherCase?.(field, key)) {
      const message = `this is read as "${field.name}", but not by every program: write it so`
      reading.findings.push({ severity: 'warning', kind: 'unknown-key', path: [...path, key], message })
    }
    const value = readValue(node, field.type, [...path, key], reading)
    if (value === undefined) continue
    const before = fields[field.name] // a key that is there twice adds to the first
    fields[field.name] = isFields(before) && isFields(value) ? { ...before, ...value } : value
  }
  return fields
}

function wrongType(node: Node, wanted: string, path: Path, { findings }: Reading): undefined {
  const found = KIND_NAMES[node.kind]
  const message = `${wanted} is wanted here, and this is ${found}`
  findings.push({
    severity: 'error',
    path,
    message: path.length === 0 ? `${pathText(path)}: ${message}` : message,
  })
}

const NAMES = { string: 'a text', integer: 'an integer', boolean: 'true or false' } as const
/** The value that null in a list becomes. */
const EMPTY_OF = { string: '', integer: 0, boolean: false, object: {} } as const

function sameName(name: string, key: string): boolean {
  return name.length === key.length && name.toLowerCase() === key.toLowerCase()
}

function isInt64(digits: string): boolean {
  const value = BigInt(digits)
  return value === BigInt.asIntN(64, value)
}
