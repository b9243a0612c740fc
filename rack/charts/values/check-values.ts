// What a site file's values may be: a chart's own values say which keys there are and of what type each is. Pure.

import { isRecord } from '#model/record.ts'
import { type Values } from './values.ts'

/** One value that a chart cannot take. */
export type ValueProblem = {
  readonly kind: 'unknown key' | 'wrong type'
  /** Keys from the release's values down to it. */
  readonly path: readonly string[]
  readonly what: string
  readonly remedy: string
}

/**
 * Where a site may write keys that the chart does not name: options of the services, labels and requests of components,
 * and what charts of other makers call by these names.
 */
const open = [
  ['conf'],
  ['labels'],
  ['endpoints'],
  ['dependencies'],
  ['pod', 'resources'],
  ['pod', 'affinity'],
]

/** Compares `values` with the chart's own values. */
export function checkValues(defaults: Values, values: Values): ValueProblem[] {
  return checkMap(defaults, values, [], false)
}

function checkMap(
  defaults: Values,
  values: Values,
  above: readonly string[],
  isOpen: boolean,
): ValueProblem[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const path = [...above, key]
    const below = isOpen || open.some(place => place.join('\0') === path.join('\0'))
    if (!(key in defaults)) return below ? [] : unknownKey(path, defaults)
    const known = defaults[key]
    if (isRecord(known) && isRecord(value))
      return checkMap(known, value, path, below || Object.keys(known).length === 0)
    return checkType(known, value, path, below)
  })
}

function checkType(
  known: unknown,
  value: unknown,
  path: readonly string[],
  isOption: boolean,
): ValueProblem[] {
  const [wanted, given] = [typeOf(known), typeOf(value)]
  if (wanted === given || wanted === 'nothing' || given === 'nothing') return []
  // An option's text is read by its service; a number may stand for a text anywhere.
  if (isOption && wanted !== 'map' && given !== 'map') return []
  if (wanted === 'text' && given === 'number') return []
  const what = `must be a ${wanted}, and is the ${given} ${JSON.stringify(value)}`
  return [{ kind: 'wrong type', path, what, remedy: `the chart has ${shown(known)} there` }]
}

/** A value in a few words: of a map only its keys. */
function shown(value: unknown): string {
  return isRecord(value) ? `a map with the keys ${Object.keys(value).join(' ')}` : JSON.stringify(value)
}

function unknownKey(path: readonly string[], defaults: Values): ValueProblem[] {
  const remedy = `its neighbours are: ${Object.keys(defaults).toSorted().join(' ')}`
  return [{ kind: 'unknown key', path, what: 'the chart reads no such key', remedy }]
}

function typeOf(value: unknown): 'nothing' | 'map' | 'list' | 'text' | 'number' | 'boolean' {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'list'
  if (typeof value === 'number' || typeof value === 'boolean') return typeof value as 'number' | 'boolean'
  return typeof value === 'string' ? 'text' : 'map'
}
