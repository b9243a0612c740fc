// The functions of the template language. `and` and `or` are not here: they do not look at all of their arguments.

import { bytesOf } from '#model/text.ts'
import { isEqual, isLess } from './compare.ts'
import { escapeHtml, escapeJs, escapeQuery } from './escape.ts'
import { BadCall } from './failure.ts'
import { byteSlice, print, printf, println, type Count } from './format.ts'
import {
  entryOf,
  indexOf,
  isList,
  isMap,
  isTrue,
  sizeOf,
  TextMap,
  typeName,
  Uint8,
  type Value,
} from './values.ts'

/** A function, with the least and the most arguments that it takes. */
type GoFunction = {
  readonly least: number
  readonly most: number
  readonly call: (args: readonly Value[], count: Count) => Value
}

/**
 * Calls the function `name`. `count` is called with the characters that it examines more than once.
 *
 * @throws {BadCall} on a wrong number or kind of arguments
 */
export function callFunction(name: string, args: readonly Value[], count: Count): Value {
  const known = FUNCTIONS.get(name)
  if (known === undefined) throw new BadCall(`function "${name}" is not defined`)
  if (args.length < known.least || args.length > known.most) {
    const wanted = known.least === known.most ? `${known.least}` : `at least ${known.least}`
    throw new BadCall(`${name} wants ${wanted} arguments and has ${args.length}`)
  }
  return known.call(args, count)
}

const FUNCTIONS: ReadonlyMap<string, GoFunction> = new Map<string, GoFunction>([
  ['call', any(1, ([of = null]) => refuse(`${plural(of)} cannot be called`))],
  ['eq', any(1, ([first = null, ...others]) => equalToOne(first, others))],
  ['ge', two((a, b) => !isLess(a, b))],
  ['gt', two((a, b) => !isLess(a, b) && !isEqual(a, b))],
  ['html', any(0, args => escapeHtml(joined(args)))],
  ['index', any(1, ([of = null, ...keys]) => keys.reduce(itemOf, indexable(of)))],
  ['js', any(0, args => escapeJs(joined(args)))],
  ['le', two((a, b) => isLess(a, b) || isEqual(a, b))],
  ['len', one(of => BigInt(lengthOf(of)))],
  ['lt', two(isLess)],
  ['ne', two((a, b) => !isEqual(a, b))],
  ['not', one(of => !isTrue(of))],
  ['print', any(0, print)],
  ['printf', any(1, ([format = null, ...values], count) => printf(textIn(format), values, count))],
  ['println', any(0, println)],
  ['slice', any(1, ([of = null, ...indexes]) => sliceOf(of, indexes))],
  ['urlquery', any(0, args => escapeQuery(joined(args)))],
])

/** All names that a template may call. */
export const FUNCTION_NAMES: ReadonlySet<string> = new Set([...FUNCTIONS.keys(), 'and', 'or'])

function one(call: (of: Value) => Value): GoFunction {
  return { least: 1, most: 1, call: ([of = null]) => call(of) }
}

function two(call: (a: Value, b: Value) => Value): GoFunction {
  return { least: 2, most: 2, call: ([a = null, b = null]) => call(a, b) }
}

function any(least: number, call: GoFunction['call']): GoFunction {
  return { least, most: Number.POSITIVE_INFINITY, call }
}

function refuse(reason: string): never {
  throw new BadCall(reason)
}

function plural(value: Value): string {
  return value === null ? 'nil' : `a value of type ${typeName(value)}`
}

function equalToOne(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) refuse('eq wants something to compare with')
  return others.some(other => isEqual(first, other))
}

function textIn(value: Value): string {
  return typeof value === 'string' ? value : refuse(`the format must be a text, not ${plural(value)}`)
}

/** The one text as it is, several arguments as `print` joins them; nil is shown as in an action. */
function joined(args: readonly Value[]): string {
  return print(args.map(value => value ?? '<no value>'))
}

function lengthOf(of: Value): number {
  if (typeof of === 'string') return bytesOf(of).length
  if (isList(of)) return of.length
  return isMap(of) ? sizeOf(of) : refuse(`${plural(of)} has no length`)
}

function indexable(of: Value): Value {
  return of === null ? refuse('nil has no index') : of
}

function itemOf(of: Value, key: Value): Value {
  if (isMap(of)) {
    if (typeof key !== 'string') return refuse(`a key must be a text, not ${plural(key)}`)
    return entryOf(of, key) ?? (of instanceof TextMap ? '' : null)
  }
  if (!isList(of) && typeof of !== 'string') return refuse(`${plural(of)} has no index`)
  const length = lengthOf(of)
  const at = indexOf(key, length)
  if (at >= length) return refuse(`index out of range: ${at}`)
  return isList(of) ? (of[at] ?? null) : new Uint8(bytesOf(of)[at] ?? 0)
}

function sliceOf(of: Value, indexes: readonly Value[]): Value {
  if (!isList(of) && typeof of !== 'string') return refuse(`${plural(of)} cannot be sliced`)
  if (indexes.length > (typeof of === 'string' ? 2 : 3)) return refuse(`slice has ${indexes.length} indexes`)
  const length = lengthOf(of)
  const [start = 0, end = length, limit = length] = indexes.map(index => indexOf(index, length))
  if (start > end || end > limit) return refuse(`slice from ${start} to ${end} is out of range`)
  return isList(of) ? of.slice(start, end) : byteSlice(of, start, end)
}
