// What a group wants of one label: how it is read, written, and held against what a machine shows. Texts keep
// Matchbox's meaning; lists, globs, networks and presence are ours, and have another type, so that no file of
// Matchbox changes its meaning.

import type { Condition, Labels, Requirement, Selector } from '../inventory/objects.ts'
import { parseAddress, parseNetwork, prefixOf } from './address.ts'
import { matchesGlob } from './glob.ts'
import { normaliseMac } from './mac.ts'
import { canonicalUuid, plainUuid } from './uuid.ts'

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
 * How well a label meets a requirement: `exact` as Matchbox compares, `folded` only by what we know of the label, such
 * as the case of a UUID. Among equal groups an exact one goes first.
 */
export type Fit = 'exact' | 'folded' | 'none'

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

/** What templates see of a selector: the texts that it asks for; where it leaves a choice, what the machine shows. */
export function selectedValues(selector: Selector, labels: Labels): [key: string, value: string][] {
  return Object.entries(selector).map(([key, wanted]) => [
    key,
    typeof wanted === 'string' ? wanted : (labelOf(labels, key) ?? ''),
  ])
}

/** The label of this name, if the machine sent it. */
export function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}

/** Holds the texts that a machine shows for a label (its own first, then those known to be the same) against a requirement. */
export function fitOf(key: string, wanted: Requirement, shown: readonly string[]): Fit {
  if (typeof wanted === 'string') return textFit(key, wanted, shown)
  if (isList(wanted)) {
    let best: Fit = 'none'
    for (const one of wanted) {
      const fit = typeof one === 'string' ? textFit(key, one, shown) : conditionFit(key, one, shown)
      if (fit === 'exact') return fit
      if (fit === 'folded') best = fit
    }
    return best
  }
  return conditionFit(key, wanted, shown)
}

/** How a label's text is compared beyond Matchbox: firmware differs in the case of serial numbers and the form of UUIDs. */
export function foldOf(key: string, text: string): string {
  if (key === 'uuid') return canonicalUuid(text)
  return key === 'serial' ? text.toLowerCase() : text
}

/** Says whether a requirement leaves a choice. */
export function isList(wanted: Requirement): wanted is readonly (string | Condition)[] {
  return Array.isArray(wanted)
}

function textFit(key: string, wanted: string, shown: readonly string[]): Fit {
  if (wanted === (shown[0] ?? '')) return 'exact'
  const folded = foldOf(key, wanted)
  return shown.some(text => foldOf(key, text) === folded) ? 'folded' : 'none'
}

function conditionFit(key: string, wanted: Condition, shown: readonly string[]): Fit {
  return shown.some(text => meets(key, wanted, text)) || (shown.length === 0 && meets(key, wanted, ''))
    ? 'exact'
    : 'none'
}

function meets(key: string, wanted: Condition, text: string): boolean {
  if ('present' in wanted) return wanted.present === (text !== '')
  if ('glob' in wanted) return matchesGlob(foldCase(key, wanted.glob), foldCase(key, text))
  const network = parseNetwork(wanted.cidr)
  const address = parseAddress(text)
  if (network === undefined || address?.width !== network.width) return false
  return prefixOf(address, network.length) === network.bits
}

/** A label's text, or a glob for it, in the case and form in which they are held against one another. */
export function foldCase(key: string, text: string): string {
  if (key === 'uuid') return plainUuid(text)
  return key === 'mac' || key === 'serial' ? text.toLowerCase() : text
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
  if (mac === undefined) throw new BadSelector(key, `"${text}" is no MAC address`)
  return mac
}

function readCondition(key: string, value: unknown): Condition {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadSelector(key, `${JSON.stringify(value)} is no requirement; write it as a string`)
  }
  const [[kind, wanted] = ['', undefined], ...others] = Object.entries(value) as [string, unknown][]
  if (others.length === 0) {
    if (kind === 'glob' && typeof wanted === 'string' && wanted !== '') return { glob: wanted }
    if (kind === 'present' && typeof wanted === 'boolean') return { present: wanted }
    if (kind === 'cidr' && typeof wanted === 'string') {
      if (parseNetwork(wanted) !== undefined) return { cidr: wanted }
      throw new BadSelector(key, `"${wanted}" is no network; write it like 10.20.0.0/24`)
    }
  }
  const forms = '{"glob": "cmp-*"}, {"cidr": "10.20.0.0/24"} or {"present": true}'
  throw new BadSelector(key, `${JSON.stringify(value)} is no requirement; write a string, a list, ${forms}`)
}
