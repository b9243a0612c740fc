// Takes the fields of a schema out of a document, with the leniency of the decoder that the machine uses: names in
// any case, null is absent, what is there twice is merged, unknown names are ignored (and reported), a wrong type is an error.

import type { Finding, WarningKind } from './findings.ts'
import type { Field, ObjectType, Type } from './schema.ts'
import { foldedName } from './go-names.ts'
import { KIND_NAMES, type Member, type Node, type Path, pathText } from './tree.ts'
import type { Integer } from './types.ts'

/** A value by schema: only what is known, typed as the schema says. */
export type Value = string | Integer | boolean | readonly Value[] | Fields
export type Fields = { readonly [name: string]: Value }

/** How a document is read. */
export type Dialect = {
  /** The field that a key of the document means, if any. */
  readonly fieldOf: (type: ObjectType, key: string) => Field | undefined
  /** Says whether a key has its field's name in other letters. */
  readonly isOtherCase?: (field: Field, key: string) => boolean
  /** The value of a scalar for a field of type `wanted`; undefined when it is of another type. */
  readonly scalar: (node: Node, wanted: 'string' | 'integer' | 'boolean') => Value | undefined
  /** Says whether null leaves the value that the same key had before, in place of removing it. */
  readonly isKeptByNull?: (field: Field) => boolean
}

/** Reads `root` as an object of `type`, and reports what does not fit. */
export function readFields(
  root: Node,
  type: ObjectType,
  dialect: Dialect,
): { readonly fields: Fields; readonly findings: readonly Finding[] } {
  const findings: Finding[] = []
  const value = readValue(root, type, [], undefined, { dialect, findings, cells: new WeakMap() })
  return { fields: isFields(value) ? value : {}, findings }
}

/** How Ignition reads JSON. Fields of a later spec than 3.`spec` are unknown. */
export function ignitionDialect(spec: number): Dialect {
  return {
    fieldOf: (type, key) => {
      const known = type.fields.filter(field => field.since <= spec)
      return known.find(({ name }) => name === key) ?? known.find(({ name }) => isSameName(name, key))
    },
    isOtherCase: ({ name }, key) => name !== key,
    scalar: jsonScalar,
    isKeptByNull: ({ plain: [first, last] = [1, 0] }) => first <= spec && spec <= last,
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
  return node.kind === 'number' && /^-?\d+$/.test(node.text) ? int64Of(BigInt(node.text)) : undefined
}

/** A whole number, if it has 64 bits. */
export function int64Of(value: bigint): Integer | undefined {
  if (value !== BigInt.asIntN(64, value)) return undefined
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

type Reading = {
  readonly dialect: Dialect
  readonly findings: Finding[]
  /** For each list the values that it was cut from: Go keeps what is behind the end of a slice, and adds to it. */
  readonly cells: WeakMap<object, (Value | undefined)[]>
}

/** Reads a value, on top of the one that the same key had before. */
function readValue(
  node: Node,
  type: Type,
  path: Path,
  before: Value | undefined,
  reading: Reading,
): Value | undefined {
  if (node.kind === 'null') return undefined
  if (typeof type === 'string') {
    const value = reading.dialect.scalar(node, type)
    if (value === undefined) wrongType(node, NAMES[type], path, reading)
    return value
  }
  if ('list' in type) {
    if (node.kind !== 'list') return wrongType(node, 'a list', path, reading)
    return readList(node.items, type.list, path, before, reading)
  }
  if (node.kind !== 'object') return wrongType(node, 'an object', path, reading)
  return readObject(node.members, type, path, isFields(before) ? before : {}, reading)
}

/** Each item adds to the one that was at its place; null leaves that one, or is an empty value. */
function readList(
  items: readonly Node[],
  type: Type,
  path: Path,
  before: Value | undefined,
  reading: Reading,
): Value {
  if (items.length === 0) return []
  const cells = (before !== undefined && typeof before === 'object' && reading.cells.get(before)) || []
  for (const [index, item] of items.entries()) {
    const value = readValue(item, type, [...path, index], cells[index], reading)
    cells[index] = value ?? cells[index] ?? EMPTY_OF[typeof type === 'string' ? type : 'object']
  }
  const values = cells.slice(0, items.length) as Value[] // each was set
  reading.cells.set(values, cells)
  return values
}

function readObject(
  members: readonly Member[],
  type: ObjectType,
  path: Path,
  before: Fields,
  reading: Reading,
): Fields {
  const { dialect, findings } = reading
  const fields: Record<string, Value> = { ...before }
  const keys = new Map<string, string>()
  for (const { key, at, value: node } of members) {
    const field = dialect.fieldOf(type, key)
    const warning = (kind: WarningKind, message: string) =>
      findings.push({ severity: 'warning', kind, path: [...path, key], message, at })
    if (field === undefined) {
      warning('unknown-key', 'this key is not known, and is ignored')
      continue
    }
    const { name } = field
    if (dialect.isOtherCase?.(field, key))
      warning('unknown-key', `this is read as "${name}", but not by every program: write it so`)
    const first = keys.get(name)
    if (first === undefined) keys.set(name, key)
    else {
      const where = first === key ? `"${key}" is there twice` : `"${key}" is the same key as "${first}"`
      const isKept = dialect.isKeptByNull?.(field) ?? false
      warning('repeated-key', `${where}; ${effectOf(node, isKept)}`)
    }
    const value = readValue(node, field.type, [...path, key], fields[name], reading)
    if (value !== undefined) fields[name] = value
    else if (node.kind === 'null' && !dialect.isKeptByNull?.(field)) delete fields[name]
  }
  return fields
}

/** What Go makes of a key that is there again. */
function effectOf({ kind }: Node, isKeptByNull: boolean): string {
  if (kind === 'null') return isKeptByNull ? 'null changes nothing' : 'null removes what was there'
  if (kind === 'object') return 'both are merged, as in Ignition'
  return kind === 'list' ? 'both are merged item by item, as in Ignition' : 'the last one counts'
}

function wrongType(node: Node, wanted: string, path: Path, { findings }: Reading): undefined {
  const found = KIND_NAMES[node.kind]
  const message = `${wanted} is wanted here, and this is ${found}`
  findings.push({
    severity: 'error',
    path,
    at: node.at,
    message: path.length === 0 ? `${pathText(path)}: ${message}` : message,
  })
}

const NAMES = { string: 'a text', integer: 'an integer', boolean: 'true or false' } as const
/** The value that null in a list becomes. */
const EMPTY_OF = { string: '', integer: 0, boolean: false, object: {} } as const

function isSameName(name: string, key: string): boolean {
  return name.length === key.length && foldedName(name) === foldedName(key)
}
