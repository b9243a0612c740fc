// Reads one group or profile file of a Matchbox data directory, with the rules of the Go program that such files
// were written for: field names in any case, fields that are there several times merged, unknown ones ignored, nothing
// after the value.

import type { Place } from '#model/fault.ts'
import { isRecord } from '#model/record.ts'
import { fieldsOf, type Field } from '#model/fields.ts'
import { groupSchema, type Group } from '#model/group.ts'
import { profileSchema, type Profile } from '#model/profile.ts'
import { BadSelector, readSelector, type Selector } from '#model/selector.ts'
import { foldedName } from '../formats/ignition/go-names.ts'
import { goValueOf, NumberTooLarge } from '../formats/ignition/go-values.ts'
import { BadJson, faultIn, parseJson } from '../formats/ignition/json.ts'
import { KIND_NAMES, offsetOf, placeAt, type Node, type Path } from '../formats/ignition/tree.ts'

/** A file of the data directory that cannot be used; the message says why, and `path` what in it is wrong. */
export class BrokenFile extends Error {
  readonly code = 'BROKEN_FILE'
  readonly path: Path
  /** The offset of what is wrong, where it is known. */
  readonly at: number | undefined
  constructor(message: string, path: Path = [], { at, ...options }: ErrorOptions & { at?: number } = {}) {
    super(message, options)
    this.path = path
    this.at = at
  }
}

/** Line and column of what is wrong in the text of a broken file. */
export function placeOf(text: string, { path, at }: BrokenFile): Place {
  try {
    return placeAt(text, at ?? offsetOf(parseJson(text), path))
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
  return { id: name, profile: '', ...objectOf(GROUP, text) }
}

/**
 * Reads a profile.
 *
 * @throws {BrokenFile} on bad JSON, a wrong type, or a missing id
 */
export function parseProfile(text: string): Profile {
  const profile = { id: '', ...objectOf(PROFILE, text) }
  if (profile.id === '') throw new BrokenFile('id is missing; every profile needs one', ['id'])
  return profile
}

const GROUP = fieldsOf(groupSchema)
const PROFILE = fieldsOf(profileSchema)

/** The fields of an object that are there and, where they are texts, not empty. */
function objectOf(fields: readonly Field[], text: string): object {
  const decoded = new Decoded(fields)
  decoded.take(treeOf(text), [])
  return decoded.values()
}

function treeOf(text: string): Node {
  if (text.startsWith('\uFEFF')) throw new BrokenFile('begins with a byte order mark; save it without')
  try {
    return parseJson(text.toWellFormed()) // a byte that is not UTF-8 is one U+FFFD, as in Go
  } catch (error) {
    if (!(error instanceof BadJson)) throw error
    throw new BrokenFile(`is not JSON: ${error.message}`, [], { cause: error, at: error.offset })
  }
}

/**
 * A struct that Go's encoding/json decodes into. A key that is there again, or in another case, is decoded into what is there
 * already: maps and structs are merged, texts and lists replaced. null empties maps and lists, and leaves texts as they are.
 */
class Decoded {
  readonly #fields: readonly Field[]
  readonly #texts = new Map<string, string>()
  readonly #lists = new Map<string, List>()
  readonly #maps = new Map<string, Map<string, unknown>>()
  readonly #structs = new Map<string, Decoded>()
  readonly #integers = new Map<string, number>()

  constructor(fields: readonly Field[]) {
    this.#fields = fields
  }

  /** Decodes an object. @throws {BrokenFile} */
  take(node: Node, path: Path): void {
    if (node.kind === 'null') return
    if (node.kind !== 'object') throw wrong(node, path, 'an object')
    for (const { key, value } of node.members) {
      const name = foldedName(key)
      const field = this.#fields.find(it => it.name === name)
      if (field !== undefined) this.#set(field, value, [...path, name])
    }
  }

  values(): object {
    return Object.fromEntries(
      this.#fields.flatMap(field => {
        const value = this.#valueOf(field)
        return value === undefined || value === '' ? [] : [[field.name, value]]
      }),
    )
  }

  #set({ name, type, fields }: Field, node: Node, path: Path): void {
    switch (type) {
      case 'text':
        if (node.kind === 'string') this.#texts.set(name, node.value)
        else if (node.kind !== 'null') throw wrong(node, path, 'a string')
        break
      case 'texts':
        if (node.kind === 'null') this.#lists.delete(name)
        else if (node.kind === 'list') this.#setList(name, node.items, path)
        else throw wrong(node, path, 'a list of strings')
        break
      case 'object': {
        if (node.kind === 'null') this.#structs.delete(name)
        else {
          const struct = this.#structs.get(name) ?? new Decoded(fields)
          struct.take(node, path)
          this.#structs.set(name, struct)
        }
        break
      }
      case 'record':
      case 'selector':
        if (node.kind === 'null') this.#maps.delete(name)
        else this.#setMap(name, type, node, path)
        break
      // These are ours: Matchbox reads past them, so one of another type does not make the file unreadable.
      case 'integer':
        if (node.kind === 'number' && Number.isSafeInteger(node.value)) this.#integers.set(name, node.value)
        else this.#integers.delete(name)
        break
      case 'boolean':
        break
    }
  }

  /** A list is written over the one before, of which a null leaves what is at its place, even behind a shorter one. */
  #setList(name: string, items: readonly Node[], path: Path): void {
    const { memory } = items.length === 0 ? { memory: [] } : (this.#lists.get(name) ?? { memory: [] })
    for (const [index, item] of items.entries()) {
      if (item.kind !== 'string' && item.kind !== 'null') {
        const what = `${path.join('.')} contains ${shownIn(item)}; write strings`
        throw new BrokenFile(what, [...path, index], { at: item.at })
      }
      memory[index] = item.kind === 'string' ? item.value : (memory[index] ?? '')
    }
    this.#lists.set(name, { memory, length: items.length })
  }

  #setMap(name: string, type: 'record' | 'selector', node: Node, path: Path): void {
    if (node.kind !== 'object') throw wrong(node, path, 'an object')
    const map = this.#maps.get(name) ?? new Map<string, unknown>()
    this.#maps.set(name, map)
    for (const { key, value } of node.members) {
      // Even where a later key replaces it, as in Go.
      if (type === 'selector' && (value.kind === 'number' || value.kind === 'boolean'))
        selectorOf(new Map([[key, value.value]]), value.at)
      try {
        map.set(key, goValueOf(value))
      } catch (error) {
        if (!(error instanceof NumberTooLarge)) throw error
        throw new BrokenFile(`${[...path, key].join('.')}: ${error.message}`, path, {
          cause: error,
          at: error.at,
        })
      }
    }
  }

  #valueOf({ name, type }: Field): unknown {
    const map = this.#maps.get(name)
    switch (type) {
      case 'text':
        return this.#texts.get(name)
      case 'texts': {
        const list = this.#lists.get(name)
        return list?.memory.slice(0, list.length)
      }
      case 'object':
        return this.#structs.get(name)?.values()
      case 'record':
        return map && Object.fromEntries(map)
      case 'selector':
        return map && selectorOf(map)
      default:
        return this.#integers.get(name)
    }
  }
}

/** A list of texts, and what is in memory behind its end. */
type List = { readonly memory: string[]; readonly length: number }

function selectorOf(map: ReadonlyMap<string, unknown>, at?: number): Selector | undefined {
  try {
    const selector = readSelector(Object.fromEntries(map))
    return Object.keys(selector).length === 0 ? undefined : selector
  } catch (error) {
    if (!(error instanceof BadSelector)) throw error
    const options = { cause: error, ...(at === undefined ? {} : { at }) }
    throw new BrokenFile(error.message, ['selector', error.key], options)
  }
}

function wrong(node: Node, path: Path, wanted: string): BrokenFile {
  const what = path.length === 0 ? `holds ${shownIn(node)}` : `${path.join('.')} is ${shownIn(node)}`
  return new BrokenFile(`${what}; write ${wanted}`, path, { at: node.at })
}

function shownIn(node: Node): string {
  return 'value' in node ? JSON.stringify(node.value) : KIND_NAMES[node.kind]
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
