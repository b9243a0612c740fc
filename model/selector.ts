// What a group wants of a machine, by label: how it is read and written. server/boot/match/ compares it with what a machine
// shows. Texts keep Matchbox's meaning; lists, globs, networks and presence are ours, and have another type, so that no
// file of Matchbox changes its meaning.

import { parseNetwork } from './address.ts'
import { normaliseMac } from './mac.ts'
import { isRecord } from './record.ts'

/** What a machine reports of itself (`mac`, `uuid`, `serial`, ...). */
export type Labels = Readonly<Record<string, string>>

/** What a group wants of a machine, by label. */
export type Selector = Readonly<Record<string, Requirement>>

/** What one label must be: a text is compared as Matchbox does, of a list any item is enough. */
export type Requirement = string | Condition | readonly (string | Condition)[]

/** Requirements that Matchbox cannot express. */
export type Condition =
  /** `*` stands for any text, `?` for one character. */
  | { readonly glob: string }
  /** A network, or one address of IPv4 or IPv6. */
  | { readonly cidr: string }
  /** Whether the label is there, with a text. */
  | { readonly present: boolean }

/** A selector that cannot be used; the message says which key, and what to write. */
export class BadSelector extends Error {
  readonly code = 'BAD_SELECTOR'
  readonly key: string
  constructor(key: string, message: string) {
    super(`selector.${key}: ${message}`)
    this.key = key
  }
}

/**
 * Reads a selector from JSON. MAC addresses are normalised, and null is the empty text, which asks for absence.
 *
 * @throws {BadSelector}
 */
export function readSelector(value: Readonly<Record<string, unknown>>): Selector {
  return Object.fromEntries(Object.entries(value).map(([key, wanted]) => [key, readRequirement(key, wanted)]))
}

/** Each requirement as a text: what the gRPC API, which knows no others, shows. */
export function selectorTexts(selector: Selector): Record<string, string> {
  return Object.fromEntries(
    Object.entries(selector).map(([key, wanted]) => [
      key,
      typeof wanted === 'string' ? wanted : JSON.stringify(wanted),
    ]),
  )
}

/** The label of this name, if the machine sent it. */
export function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}

/** Says whether a requirement leaves a choice. */
export function isList(wanted: Requirement): wanted is readonly (string | Condition)[] {
  return Array.isArray(wanted)
}

function readRequirement(key: string, value: unknown): Requirement {
  if (value === null) return readText(key, '')
  if (typeof value === 'string') return readText(key, value)
  if (!Array.isArray(value)) return readCondition(key, value)
  if (value.length === 0) throw new BadSelector(key, 'the list is empty, so nothing fits; name at least one')
  return value.map((one: unknown) => (typeof one === 'string' ? readText(key, one) : readCondition(key, one)))
}

function readText(key: string, text: string): string {
  if (key.toLowerCase() !== 'mac') return text
  const mac = normaliseMac(text)
  if (mac === undefined) throw new BadSelector(key, `"${text}" is not a MAC address`)
  return mac
}

function readCondition(key: string, value: unknown): Condition {
  if (!isRecord(value)) {
    throw new BadSelector(key, `${JSON.stringify(value)} is not a requirement; write it as a string`)
  }
  const [[kind, wanted] = ['', undefined], ...others] = Object.entries(value)
  if (others.length === 0) {
    if (kind === 'glob' && typeof wanted === 'string' && wanted !== '') return { glob: wanted }
    if (kind === 'present' && typeof wanted === 'boolean') return { present: wanted }
    if (kind === 'cidr' && typeof wanted === 'string') {
      if (parseNetwork(wanted) !== undefined) return { cidr: wanted }
      throw new BadSelector(key, `"${wanted}" is not a network; write it like 10.20.0.0/24`)
    }
  }
  const forms = '{"glob": "cmp-*"}, {"cidr": "10.20.0.0/24"} or {"present": true}'
  throw new BadSelector(
    key,
    `${JSON.stringify(value)} is not a requirement; write a string, a list, ${forms}`,
  )
}
