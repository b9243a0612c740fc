// Reads one group or profile file of a Matchbox data directory, with the rules of the Go program that such files
// were written for: field names in any case, unknown fields ignored, nothing after the value.

import type { Place } from '#model/fault.ts'
import { isRecord } from '#model/record.ts'
import { fieldsOf, type Field } from '#model/fields.ts'
import { groupSchema, type Group } from '#model/group.ts'
import { profileSchema, type Profile } from '#model/profile.ts'
import { BadSelector, readSelector, type Selector } from '#model/selector.ts'
import { BadJson, faultIn, parseJson } from '../formats/ignition/json.ts'
import { offsetOf, placeAt, type Path } from '../formats/ignition/tree.ts'

/** A file of the data directory that cannot be used; the message says why, and `path` what in it is wrong. */
export class BrokenFile extends Error {
  readonly code = 'BROKEN_FILE'
  readonly path: Path
  constructor(message: string, path: Path = [], options?: ErrorOptions) {
    super(message, options)
    this.path = path
  }
}

/** Line and column of what is wrong in the text of a broken file. */
export function placeOf(text: string, { path }: BrokenFile): Place {
  try {
    return placeAt(text, offsetOf(parseJson(text), path))
  } catch (error) {
    if (!(error instanceof BadJson)) throw error
    return placeAt(text, error.offset)
  }
}

/**
 * Reads a group. MAC addresses in its selector are normalised, a null value becomes the empty text. Matchbox wants no id
 * in the file: a group without one has the name of its file, `name`.
 *
 * @throws {BrokenFile} on bad JSON, a wrong type, or a selector MAC that is not one
 */
export function parseGroup(text: string, name = ''): Group {
  return { id: name, profile: '', ...valuesOf(GROUP, membersOf(text)) }
}

/**
 * Reads a profile.
 *
 * @throws {BrokenFile} on bad JSON, a wrong type, or a missing id
 */
export function parseProfile(text: string): Profile {
  const profile = { id: '', ...valuesOf(PROFILE, membersOf(text)) }
  if (profile.id === '') throw new BrokenFile('id is missing; every profile needs one', ['id'])
  return profile
}

const GROUP = fieldsOf(groupSchema)
const PROFILE = fieldsOf(profileSchema)

/** The values of the fields that are there and, where they are texts, not empty. */
function valuesOf(fields: readonly Field[], members: Members, above: Path = []): object {
  return Object.fromEntries(
    fields.flatMap(field => {
      const value = valueOf(field, members, above)
      return value === undefined || value === '' ? [] : [[field.name, value]]
    }),
  )
}

function valueOf({ name, type, fields }: Field, members: Members, above: Path): unknown {
  const path = [...above, name]
  if (type === 'text') return textIn(members, path)
  if (type === 'texts') return textsIn(members, path)
  if (type === 'selector') return selectorIn(members)
  if (type === 'integer') return integerIn(members, name)
  const value = objectIn(members, name)
  return value && type === 'object' ? valuesOf(fields, byLowerCase(value), path) : value
}

type Members = ReadonlyMap<string, unknown>

/** The members of a JSON object, by their names in lower case. */
export function membersOf(text: string): Members {
  if (text.startsWith('\uFEFF')) throw new BrokenFile('begins with a byte order mark; save it without')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const { message } = faultIn(text) ?? (error as SyntaxError) // JSON.parse throws nothing else
    throw new BrokenFile(`is not JSON: ${message}`, [], { cause: error })
  }
  if (!isRecord(value)) {
    throw new BrokenFile('holds no JSON object')
  }
  return byLowerCase(value)
}

function byLowerCase(value: Readonly<Record<string, unknown>>): Members {
  return new Map(Object.entries(value).map(([key, member]) => [key.toLowerCase(), member]))
}

function textIn(members: Members, path: Path): string | undefined {
  const value = members.get(String(path.at(-1)))
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string')
    throw new BrokenFile(`${path.join('.')} is ${JSON.stringify(value)}; write it as a string`, path)
  return value
}

function selectorIn(members: Members): Selector | undefined {
  try {
    const selector = readSelector(objectIn(members, 'selector') ?? {})
    return Object.keys(selector).length === 0 ? undefined : selector
  } catch (error) {
    if (!(error instanceof BadSelector)) throw error
    throw new BrokenFile(error.message, ['selector', error.key], { cause: error })
  }
}

/** Integers are our fields: Matchbox reads past them, so one that is not an integer does not make the file unreadable. */
function integerIn(members: Members, name: string): number | undefined {
  const value = members.get(name)
  return Number.isSafeInteger(value) ? (value as number) : undefined // a number, as was just asked
}

function textsIn(members: Members, path: Path): string[] | undefined {
  const value = members.get(String(path.at(-1)))
  if (value === undefined || value === null) return undefined
  const name = path.join('.')
  if (!Array.isArray(value)) throw new BrokenFile(`${name} is not a list`, path)
  return value.map((item: unknown, index) => {
    if (item === null) return ''
    if (typeof item !== 'string')
      throw new BrokenFile(`${name} contains ${JSON.stringify(item)}; write strings`, [...path, index])
    return item
  })
}

function objectIn(members: Members, name: string): Readonly<Record<string, unknown>> | undefined {
  const value = members.get(name)
  if (value === undefined || value === null) return undefined
  if (!isRecord(value)) throw new BrokenFile(`${name} is not an object`, [name])
  return value
}
