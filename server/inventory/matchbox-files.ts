// Reads one group or profile file of a Matchbox data directory, with the rules of the Go program that such files
// were written for: field names in any case, unknown fields ignored, nothing after the value.

import { BadJson, faultIn, parseJson } from '../ignition/json.ts'
import { offsetOf, placeAt, type Path, type Place } from '../ignition/tree.ts'
import { BadSelector, readSelector } from '../match/requirement.ts'
import type { Group, Profile, Selector } from './objects.ts'

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
 * Reads a group. MAC addresses in its selector are normalised, a null value becomes the empty text.
 *
 * @throws {BrokenFile} on bad JSON, a wrong type, or a selector MAC that is none
 */
export function parseGroup(text: string): Group {
  const fields = fieldsOf(text)
  const selector = selectorIn(fields)
  const name = textIn(fields, 'name')
  const metadata = objectIn(fields, 'metadata')
  const priority = priorityIn(fields)
  return {
    id: textIn(fields, 'id') ?? '',
    ...(name === undefined ? {} : { name }),
    profile: textIn(fields, 'profile') ?? '',
    ...(Object.keys(selector).length === 0 ? {} : { selector }),
    ...(priority === undefined ? {} : { priority }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

/**
 * Reads a profile.
 *
 * @throws {BrokenFile} on bad JSON, a wrong type, or a missing id
 */
export function parseProfile(text: string): Profile {
  const fields = fieldsOf(text)
  const id = textIn(fields, 'id')
  if (id === undefined || id === '') throw new BrokenFile('id is missing; every profile needs one', ['id'])
  const boot = objectIn(fields, 'boot')
  const bootFields = boot && new Map(Object.entries(boot).map(([key, value]) => [key.toLowerCase(), value]))
  const kernel = bootFields && textIn(bootFields, 'kernel', ['boot', 'kernel'])
  const initrd = bootFields && textsIn(bootFields, 'initrd')
  const args = bootFields && textsIn(bootFields, 'args')
  const optional = ['name', 'ignition_id', 'cloud_id', 'generic_id'].flatMap(field => {
    const value = textIn(fields, field)
    return value === undefined || value === '' ? [] : [[field, value] as const]
  })
  return {
    id,
    ...(Object.fromEntries(optional) as Omit<Profile, 'id' | 'boot'>),
    ...(bootFields && {
      boot: { ...(kernel && { kernel }), ...(initrd && { initrd }), ...(args && { args }) },
    }),
  }
}

type Fields = ReadonlyMap<string, unknown>

/** The fields of a JSON object, by their names in lower case. */
export function fieldsOf(text: string): Fields {
  if (text.startsWith('\uFEFF')) throw new BrokenFile('begins with a byte order mark; save it without')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const { message } = faultIn(text) ?? (error as SyntaxError) // JSON.parse throws nothing else
    throw new BrokenFile(`is no JSON: ${message}`, [], { cause: error })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BrokenFile('holds no JSON object')
  }
  return new Map(Object.entries(value).map(([key, field]) => [key.toLowerCase(), field as unknown]))
}

function textIn(fields: Fields, name: string, path: Path = [name]): string | undefined {
  const value = fields.get(name)
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string')
    throw new BrokenFile(`${path.join('.')} is ${JSON.stringify(value)}; write it as a string`, path)
  return value
}

function selectorIn(fields: Fields): Selector {
  try {
    return readSelector(objectIn(fields, 'selector') ?? {})
  } catch (error) {
    if (!(error instanceof BadSelector)) throw error
    throw new BrokenFile(error.message, ['selector', error.key], { cause: error })
  }
}

/** Matchbox knows no priority and reads past it: one that is no integer does not make the group unreadable. */
function priorityIn(fields: Fields): number | undefined {
  const value = fields.get('priority')
  return Number.isSafeInteger(value) ? (value as number) : undefined // a number, as was just asked
}

function textsIn(fields: Fields, name: string): string[] | undefined {
  const value = fields.get(name)
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value)) throw new BrokenFile(`boot.${name} is no list`, ['boot', name])
  return value.map((item: unknown, index) => {
    if (item === null) return ''
    if (typeof item !== 'string')
      throw new BrokenFile(`boot.${name} holds ${JSON.stringify(item)}; write strings`, ['boot', name, index])
    return item
  })
}

function objectIn(fields: Fields, name: string): Record<string, unknown> | undefined {
  const value = fields.get(name)
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) throw new BrokenFile(`${name} is no object`, [name])
  return value as Record<string, unknown>
}
