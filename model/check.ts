// Checks a value against the schema of a kind: everything wrong is reported at once, each with a JSON pointer into the
// object, and what is good is normalised.

import { isIPv4 } from 'node:net'
import { cleanLabel } from './clean.ts'
import type { Fault } from './fault.ts'
import { isHostName } from './host-name.ts'
import { isGroupMac, normaliseMac } from './mac.ts'
import { nearest } from './nearest.ts'
import { isRecord } from './record.ts'
import type { Schema } from './schema.ts'
import { BadSelector, readSelector } from './selector.ts'
import { bytesOf } from './text.ts'
import { plainUuid } from './uuid.ts'

/** What the check gives: the value in the order of the schema's fields, of use only where there are no faults. */
export type Read = { readonly value: Readonly<Record<string, unknown>>; readonly faults: readonly Fault[] }

/**
 * Reads an object. An optional text that is empty and a field that is null count as absent, as in Matchbox's files; unknown
 * fields are faults, never ignored.
 */
export function readObject(schema: Schema, value: Readonly<Record<string, unknown>>): Read {
  const faults: Fault[] = []
  return { value: readFields(schema as ObjectSchema, value, '', faults), faults }
}

type ObjectSchema = Schema & { readonly properties: Readonly<Record<string, Schema>> }

/** Where a value is, and what has been found wrong so far. */
type Place = { readonly name: string; readonly pointer: string; readonly faults: Fault[] }

function readFields(
  { properties, required = [], minProperties = 0 }: ObjectSchema,
  value: Readonly<Record<string, unknown>>,
  pointer: string,
  faults: Fault[],
): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(properties)) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined
    const place = { name, pointer: `${pointer}/${name}`, faults }
    const isAbsent = given === undefined || given === null || (given === '' && (schema.minLength ?? 0) > 0)
    const read = isAbsent ? schema.default : readValue(schema, given, place)
    if (read !== undefined) fields[name] = read
    else if (isAbsent && required.includes(name)) fault(place, `${name} is missing`)
  }
  const known = Object.keys(properties)
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(properties, key)) continue
    const meant = nearest(key, known)
    const remedy = meant === undefined ? `there are ${known.join(' ')}` : `did you mean "${meant}"?`
    faults.push({ pointer: `${pointer}/${escapeKey(key)}`, detail: `"${key}" is unknown; ${remedy}` })
  }
  if (Object.keys(fields).length < minProperties) {
    faults.push({
      pointer,
      detail: `no condition is given: give ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`,
    })
  }
  return fields
}

/** The value as it is kept; undefined when it is wrong. */
function readValue(schema: Schema, value: unknown, place: Place): unknown {
  const { name } = place
  if (schema['x-read'] === 'selector') return readSelectorField(value, place)
  if (schema.anyOf !== undefined) return readValue(branchFor(value, schema.anyOf), value, place)
  if (schema.enum !== undefined) {
    if (typeof value === 'string' && schema.enum.includes(value)) return value
    return fault(place, `${name} is one of ${schema.enum.join(' ')}`)
  }
  if (schema.type === 'integer') return readInteger(schema, value, place)
  if (schema.type === 'boolean') return readBoolean(value, place)
  if (schema.type === 'array') return readList(schema, value, place)
  if (schema.type === 'object') return readRecord(schema, value, place)
  if (typeof value !== 'string')
    return fault(place, `${name} is ${JSON.stringify(value)}; write it as a string`)
  return readText(schema, value, place)
}

/** Of several forms, the one for objects or the one for texts. */
function branchFor(value: unknown, forms: readonly Schema[]): Schema {
  return forms.find(({ type }) => (type === 'object') === isRecord(value)) ?? {}
}

function readInteger(
  { minimum = -Infinity, maximum = Infinity }: Schema,
  value: unknown,
  place: Place,
): unknown {
  if (!Number.isSafeInteger(value)) {
    return fault(place, `${place.name} is ${JSON.stringify(value)}; write an integer`)
  }
  const number = value as number // an integer
  if (number < minimum) return fault(place, `${place.name} is less than ${minimum}`)
  return number <= maximum ? number : fault(place, `${place.name} is more than ${maximum}`)
}

function readBoolean(value: unknown, place: Place): unknown {
  if (typeof value === 'boolean') return value
  return fault(place, `${place.name} is ${JSON.stringify(value)}; write true or false`)
}

function readList({ items = {} }: Schema, value: unknown, place: Place): unknown {
  if (!Array.isArray(value) || !value.every(item => typeof item === 'string')) {
    return fault(place, `${place.name} is not a list of strings`)
  }
  return value.map(
    (text, at) => readText(items, text, { ...place, pointer: `${place.pointer}/${at}` }) ?? text,
  )
}

function readRecord(schema: Schema, value: unknown, place: Place): unknown {
  const { name, pointer, faults } = place
  if (!isRecord(value)) return fault(place, `${name} is not a JSON object`)
  if (hasFields(schema)) return readFields(schema, value, pointer, faults)
  const isOfTexts = schema.additionalProperties?.type === 'string'
  for (const [key, text] of isOfTexts ? Object.entries(value) : []) {
    if (typeof text === 'string') continue
    faults.push({ pointer: `${pointer}/${escapeKey(key)}`, detail: `${name}.${key} is not a string` })
  }
  return value
}

function hasFields(schema: Schema): schema is ObjectSchema {
  return schema.properties !== undefined
}

function readSelectorField(value: unknown, place: Place): unknown {
  if (!isRecord(value)) return fault(place, `${place.name} is not a JSON object`)
  try {
    return readSelector(value)
  } catch (error) {
    if (!(error instanceof BadSelector)) throw error
    return fault({ ...place, pointer: `${place.pointer}/${escapeKey(error.key)}` }, error.message)
  }
}

function readText({ format = '', pattern }: Schema, text: string, place: Place): string | undefined {
  if (pattern !== undefined && !new RegExp(pattern).test(text)) {
    return fault(place, `"${text}" is not ${WANTED[format] ?? `like ${pattern}`}`)
  }
  const read = FORMATS[format]?.(text) ?? { value: text }
  return 'value' in read ? read.value : fault(place, read.wrong)
}

/** What a text of a format that has a pattern should have been. */
const WANTED: Readonly<Record<string, string>> = {
  'host-name': 'a host name in lower case',
  disk: 'the name, serial number or model of a disk: write it as  lsblk --output NAME,MODEL,SERIAL  or  ls /dev/disk/by-id  shows it',
  digest: 'a digest: write SHA256: and 64 digits, 0-9 and a-f',
}

/** The other formats: a text as it is kept, or what is wrong with it. */
const FORMATS: Readonly<Record<string, (text: string) => { value: string } | { wrong: string }>> = {
  mac: text => {
    const value = normaliseMac(text)
    if (value === undefined) return { wrong: `"${text}" is not a MAC address` }
    return isGroupMac(value) ? { wrong: `"${text}" is the MAC address of a group of cards` } : { value }
  },
  'host-name': text =>
    isHostName(text)
      ? { value: text }
      : {
          wrong: `"${cleanLabel(text)}" is not a host name in lower case, of labels of at most 63 characters`,
        },
  'smbios-uuid': text => ({ value: plainUuid(text) }),
  ipv4: text => (isIPv4(text) ? { value: text } : { wrong: `"${text}" is not an IPv4 address` }),
  'file-name': text =>
    text.includes('/') ? { wrong: `"${text}" contains a /, which no id of this kind has` } : filePath(text),
  'file-path': filePath,
}

/** A name of which a file could be made. */
function filePath(text: string): { value: string } | { wrong: string } {
  if (text.split('/').every(isFileName)) return { value: text }
  return { wrong: `${JSON.stringify(text)} could not be the name of a file: choose another` }
}

function isFileName(text: string): boolean {
  if (text === '' || text === '.' || text === '..' || !text.isWellFormed()) return false
  return !/\p{Cc}/u.test(text) && bytesOf(text).length <= LONGEST_NAME
}

/** Bytes of a file name: 255, of which `.json` takes five. */
const LONGEST_NAME = 250

function fault({ pointer, faults }: Place, detail: string): undefined {
  faults.push({ pointer, detail })
}

/** A key as a step of a JSON pointer (RFC 6901 §3). */
function escapeKey(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
