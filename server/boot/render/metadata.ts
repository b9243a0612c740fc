// A group's metadata as an environment file, in Matchbox's form; lines are sorted, so equal requests get equal answers.

import type { Group } from '#model/group.ts'
import type { Labels } from '#model/selector.ts'
import { selectedValues } from '../match/requirement.ts'

/**
 * `KEY=value` for each text, flag and number of metadata and selector, with objects flattened to `PARENT_CHILD`; then
 * the request's labels as `REQUEST_QUERY_KEY`, and the query as received. A requirement of the selector hides metadata
 * of the same name. Unlike Matchbox: whole numbers are printed in full, an array gives its items by number
 * (`TREES_0=fig`), and a line break in a value becomes a space, since it would begin a new assignment.
 */
export function metadataText(
  group: Pick<Group, 'metadata' | 'selector'>,
  labels: Labels,
  rawQuery: string,
): string {
  const values: Record<string, unknown> = { ...group.metadata }
  for (const [key, value] of selectedValues(group.selector ?? {}, labels)) values[key.toLowerCase()] = value
  const lines: string[] = []
  for (const [key, value] of Object.entries(values)) {
    if (key !== 'request') lines.push(...linesOf(upper(key), value))
  }
  for (const [key, value] of Object.entries(labels))
    lines.push(...linesOf(`REQUEST_QUERY_${upper(key)}`, value))
  lines.push(...linesOf('REQUEST_RAW_QUERY', rawQuery))
  return lines.toSorted().join('')
}

function linesOf(key: string, value: unknown): string[] {
  if (typeof value === 'number') return [`${key}=${numberText(value)}\n`]
  if (typeof value === 'boolean') return [`${key}=${value}\n`]
  if (typeof value === 'string') return [`${key}=${value.replaceAll(/[\r\n]+/g, ' ')}\n`]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([child, inner]) => linesOf(`${key}_${upper(child)}`, inner))
}

/** Whole numbers in full; others as Go prints them, with an exponent of two digits beyond 10^-4 to 10^6. */
function numberText(value: number): string {
  if (Object.is(value, -0)) return '-0'
  if (Number.isInteger(value)) return value.toLocaleString('en', { useGrouping: false })
  const size = Math.abs(value)
  if (size >= 1e-4 && size < 1e6) return `${value}`
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}

/** Upper case letter by letter, as Go maps them: one that would become two stays as it is, or is one with the iota beside it. */
function upper(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text.toUpperCase()
  return Array.from(text, letter => {
    const large = letter.toUpperCase()
    if (large.length === letter.length) return large
    const code = letter.codePointAt(0) ?? 0
    if (code >= 0x1f80 && code < 0x1fb0) return String.fromCodePoint(code | 8)
    return IOTA_BELOW.has(letter) ? String.fromCodePoint(code + 9) : letter
  }).join('')
}

/** Alpha, eta and omega with the iota below; those with an accent as well are in blocks of eight small and eight large. */
const IOTA_BELOW: ReadonlySet<string> = new Set(['\u1fb3', '\u1fc3', '\u1ff3'])
