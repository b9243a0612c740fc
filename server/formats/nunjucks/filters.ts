// The filters and tests of templates: those of nunjucks that text files need, each with a bounded cost, and ours. Left out are
// those for web pages (striptags, urlize, nl2br), random, and what takes a regular expression.

import type { Budget } from './budget.ts'
import {
  Callable,
  isRecord,
  isSame,
  joined,
  jsonOf,
  keysOf,
  memberOf,
  numberOf,
  orderOf,
  parts,
  primitiveOf,
  replaced,
  textOf,
  wholeOf,
} from './values.ts'

/** The arguments of a filter besides its value. */
export type FilterCall = {
  readonly args: readonly unknown[]
  readonly named: ReadonlyMap<string, unknown>
  readonly budget: Budget
}

/** A filter: makes one value from another, and charges its output to the budget. */
export type Filter = (value: unknown, call: FilterCall) => unknown

/** A test, which is asked by `is`. */
export type Test = (value: unknown, other: unknown, budget: Budget) => boolean

const NOTHING: ReadonlySet<unknown> = new Set([undefined, null, false])

/** A filter on a text: what is not there is empty, as in nunjucks. */
function onText(make: (text: string, call: FilterCall) => unknown): Filter {
  return (value, call) => {
    const text = NOTHING.has(value) ? '' : textOf(value, call.budget)
    call.budget.write(text.length)
    return make(text, call)
  }
}

/** A filter on a list: a text is its characters. */
function onList(name: string, make: (list: readonly unknown[], call: FilterCall) => unknown): Filter {
  return (value, call) => make(listOf(value, name, call.budget), call)
}

function listOf(value: unknown, name: string, budget: Budget): readonly unknown[] {
  if (typeof value === 'string') return parts(value, '', budget)
  if (!Array.isArray(value)) throw new Error(`${name} takes a list`)
  budget.step(value.length)
  return value as readonly unknown[]
}

const title = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/** The filters of nunjucks, by name. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['abs', (value, { budget }) => Math.abs(numberOf(value, budget))],
  ['batch', onList('batch', batch)],
  ['capitalize', onText(text => title(text.toLowerCase()))],
  ['center', onText(center)],
  ['d', otherwise],
  ['default', otherwise],
  ['dictsort', dictsort],
  [
    'dump',
    (value, { args: [spaces], budget }) =>
      jsonOf(value, Math.max(0, Math.min(wholeOf(spaces, 0), 10)), budget),
  ],
  ['e', onText(escapeHtml)],
  ['escape', onText(escapeHtml)],
  ['first', value => memberAt(value, 0)],
  ['float', float],
  ['forceescape', onText(escapeHtml)],
  ['groupby', onList('groupby', groupby)],
  ['indent', onText(indent)],
  ['int', int],
  ['join', onList('join', join)],
  ['last', value => memberAt(value, -1)],
  ['length', (value, { budget }) => lengthOf(value, budget)],
  ['list', list],
  ['lower', onText(text => text.toLowerCase())],
  ['reject', onList('reject', (items, call) => tested(items, call, false))],
  ['rejectattr', onList('rejectattr', (items, call) => items.filter(item => !attribute(item, call)))],
  ['replace', replace],
  [
    'reverse',
    (value, call) => {
      const items = listOf(value, 'reverse', call.budget).toReversed()
      return typeof value === 'string' ? items.join('') : items
    },
  ],
  ['round', round],
  ['safe', onText(text => text)],
  ['select', onList('select', (items, call) => tested(items, call, true))],
  ['selectattr', onList('selectattr', (items, call) => items.filter(item => Boolean(attribute(item, call))))],
  ['slice', onList('slice', slice)],
  ['sort', onList('sort', sort)],
  ['string', onText(text => text)],
  ['sum', onList('sum', sum)],
  [
    'title',
    onText((text, { budget }) =>
      parts(text, ' ', budget)
        .map(word => title(word.toLowerCase()))
        .join(' '),
    ),
  ],
  ['trim', onText(text => text.trim())],
  ['truncate', onText(truncate)],
  ['upper', onText(text => text.toUpperCase())],
  ['urlencode', urlencode],
  ['wordcount', onText(wordcount)],
])

/** The tests of nunjucks, by name. */
export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['callable', value => value instanceof Callable],
  ['defined', value => value !== undefined],
  ['divisibleby', (value, other, budget) => numberOf(value, budget) % numberOf(other, budget) === 0],
  ['eq', isSame],
  ['equalto', isSame],
  ['even', (value, _, budget) => numberOf(value, budget) % 2 === 0],
  ['falsy', value => !value],
  ['ge', (value, other, budget) => orderOf(value, other, budget) >= 0],
  ['greaterthan', (value, other, budget) => orderOf(value, other, budget) > 0],
  ['gt', (value, other, budget) => orderOf(value, other, budget) > 0],
  ['iterable', value => typeof value === 'string' || Array.isArray(value)],
  ['le', (value, other, budget) => orderOf(value, other, budget) <= 0],
  ['lessthan', (value, other, budget) => orderOf(value, other, budget) < 0],
  ['lower', (value, _, budget) => isCase(value, 'toLowerCase', budget)],
  ['lt', (value, other, budget) => orderOf(value, other, budget) < 0],
  ['mapping', value => isRecord(value)],
  ['ne', (value, other, budget) => !isSame(value, other, budget)],
  ['none', value => value === null],
  ['null', value => value === null],
  ['number', value => typeof value === 'number'],
  ['odd', (value, _, budget) => numberOf(value, budget) % 2 === 1],
  ['sameas', isSame],
  ['string', value => typeof value === 'string'],
  ['truthy', Boolean],
  ['undefined', value => value === undefined],
  ['upper', (value, _, budget) => isCase(value, 'toUpperCase', budget)],
])

function isCase(value: unknown, change: 'toLowerCase' | 'toUpperCase', budget: Budget): boolean {
  if (typeof value !== 'string') return false
  budget.write(value.length)
  return value[change]() === value
}

function memberAt(value: unknown, at: number): unknown {
  return typeof value === 'string' || Array.isArray(value) ? (value.at(at) as unknown) : undefined
}

function lengthOf(value: unknown, budget: Budget): number {
  if (isRecord(value)) {
    const { length } = keysOf(value)
    budget.step(length)
    return length
  }
  return typeof value === 'string' || Array.isArray(value) ? value.length : 0
}

function otherwise(value: unknown, { args: [other, isLoose] }: FilterCall): unknown {
  if (isLoose) return value || other
  return value === undefined ? other : value
}

function numberOr(number: number, other: unknown): unknown {
  return Number.isNaN(number) ? other : number
}

function batch(items: readonly unknown[], { args: [size, fill], budget }: FilterCall): unknown[][] {
  const width = wholeOf(size, 0)
  if (width < 1) throw new Error('batch takes the length of a batch')
  const all: unknown[][] = []
  for (let at = 0; at < items.length; at += width) all.push(items.slice(at, at + width))
  const last = all.at(-1)
  if (last !== undefined && fill) {
    budget.step(width - last.length)
    while (last.length < width) last.push(fill)
  }
  return all
}

function center(text: string, { args: [width], budget }: FilterCall): string {
  const spaces = wholeOf(width, 80) - text.length
  if (spaces <= 0) return text
  budget.write(spaces)
  const before = Math.max(Math.ceil(spaces / 2 - (spaces % 2)), 0)
  return ' '.repeat(before) + text + ' '.repeat(Math.ceil(spaces / 2))
}

function dictsort(value: unknown, { args: [isCased, by = 'key'], budget }: FilterCall): unknown {
  if (!isRecord(value)) throw new Error('dictsort takes an object')
  if (by !== 'key' && by !== 'value') throw new Error('dictsort sorts by key or value')
  const entries = keysOf(value).map(key => [key, memberOf(value, key)])
  return sorted(entries, entry => entry[by === 'key' ? 0 : 1], { isCased: Boolean(isCased), budget })
}

const HTML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '"': '&quot;',
  "'": '&#39;',
  '<': '&lt;',
  '>': '&gt;',
  '\\': '&#92;',
}

function escapeHtml(text: string, { budget }: FilterCall): string {
  budget.write(text.length * 5)
  return text.replaceAll(/[&"'<>\\]/g, letter => HTML[letter] ?? letter)
}

/** The attribute that the first argument names: names with dots lead inwards. */
function attribute(item: unknown, { args: [name], budget }: FilterCall): unknown {
  return pathOf(item, name, budget)
}

function pathOf(item: unknown, name: unknown, budget: Budget): unknown {
  if (typeof name !== 'string') return memberOf(item, name)
  let value = item
  for (const key of parts(name, '.', budget)) value = memberOf(value, key)
  return value
}

function groupby(items: readonly unknown[], { args: [name], budget }: FilterCall): Record<string, unknown[]> {
  const groups: Record<string, unknown[]> = Object.create(null) as Record<string, unknown[]>
  for (const item of items) {
    const key = pathOf(item, name, budget)
    if (key === undefined) throw new Error(`groupby: an item has no ${textOf(name, budget)}`)
    ;(groups[textOf(key, budget)] ??= []).push(item)
  }
  return groups
}

function indent(text: string, { args: [width, isFirst], budget }: FilterCall): string {
  const lines = parts(text, '\n', budget)
  const size = Math.max(wholeOf(width, 4) || 4, 0)
  budget.write(lines.length * size)
  const space = ' '.repeat(size)
  return lines.map((line, at) => (at === 0 && !isFirst ? line : space + line)).join('\n')
}

function float(value: unknown, { args: [other], budget }: FilterCall): unknown {
  const text = textOf(value, budget)
  budget.step(text.length / 16)
  return numberOr(Number.parseFloat(text), other)
}

function int(value: unknown, { args, named, budget }: FilterCall): unknown {
  const [other = named.get('default'), base = named.get('base')] = args
  const text = textOf(value, budget)
  budget.step(text.length / 16)
  return numberOr(Number.parseInt(text, wholeOf(base, 10)), other)
}

function join(items: readonly unknown[], { args: [by, name], budget }: FilterCall): string {
  const named = name ? items.map(item => pathOf(item, name, budget)) : items
  return joined(named, by ? textOf(by, budget) : '', budget)
}

function list(value: unknown, { budget }: FilterCall): unknown {
  if (!isRecord(value)) return listOf(value, 'list', budget)
  budget.step(keysOf(value).length)
  return keysOf(value).map(key => ({ key, value: memberOf(value, key) }))
}

function tested(
  items: readonly unknown[],
  { args: [name = 'truthy', other], budget }: FilterCall,
  wanted: boolean,
) {
  const test = testOf(textOf(name, budget))
  return items.filter(item => test(item, other, budget) === wanted)
}

/**
 * The test of this name.
 *
 * @throws {Error}
 */
export function testOf(name: string): Test {
  const test = TESTS.get(name)
  if (test === undefined) throw new Error(`there is no test ${name}`)
  return test
}

function replace(value: unknown, { args: [old, by, most], budget }: FilterCall): unknown {
  if ((typeof value !== 'string' && typeof value !== 'number') || !['string', 'number'].includes(typeof old))
    return value
  const text = textOf(value, budget)
  const count = most === undefined || most === -1 ? Number.POSITIVE_INFINITY : Math.max(0, wholeOf(most, 0))
  return replaced(text, textOf(old, budget), textOf(by, budget), count, budget)
}

function round(value: unknown, { args: [digits, method], budget }: FilterCall): number {
  const factor = 10 ** wholeOf(digits, 0)
  const rounded = method === 'ceil' ? Math.ceil : method === 'floor' ? Math.floor : Math.round
  return rounded(numberOf(value, budget) * factor) / factor
}

function slice(items: readonly unknown[], { args: [count, fill], budget }: FilterCall): unknown[][] {
  const slices = wholeOf(count, 0)
  if (slices < 1) throw new Error('slice takes the number of slices')
  budget.step(slices)
  const size = Math.floor(items.length / slices)
  const extra = items.length % slices
  return Array.from({ length: slices }, (_, at) => {
    const start = at * size + Math.min(at, extra)
    const part = items.slice(start, start + size + (at < extra ? 1 : 0))
    return fill && at >= extra ? [...part, fill] : part
  })
}

function sort(items: readonly unknown[], { args, named, budget }: FilterCall): unknown[] {
  const [
    reversed = named.get('reverse'),
    isCased = named.get('case_sensitive'),
    name = named.get('attribute'),
  ] = args
  const valueOf = (item: unknown) => {
    const value = name ? pathOf(item, name, budget) : item
    if (name && value === undefined) throw new Error(`sort: an item has no ${textOf(name, budget)}`)
    return value
  }
  const all = sorted(items, valueOf, { isCased: Boolean(isCased), budget })
  return reversed ? all.toReversed() : all
}

/** Sorted by a value of each item, which is taken once; the number of comparisons is counted before. */
function sorted<T>(
  items: readonly T[],
  valueOf: (item: T) => unknown,
  { isCased, budget }: { readonly isCased: boolean; readonly budget: Budget },
): T[] {
  const keyed = items.map(item => {
    const value = primitiveOf(valueOf(item), budget)
    const key = typeof value === 'string' && !isCased ? value.toLowerCase() : value
    if (typeof key === 'string') budget.write(key.length * 16) // compared with several others
    return { item, key }
  })
  budget.step(items.length * Math.ceil(Math.log2(items.length + 1)))
  return keyed.toSorted((a, b) => orderOf(a.key, b.key, budget) || 0).map(({ item }) => item)
}

function sum(items: readonly unknown[], { args: [name, start = 0], budget }: FilterCall): number {
  const numbers = items.map(item => numberOf(name ? pathOf(item, name, budget) : item, budget))
  return numbers.reduce((all, number) => all + number, numberOf(start, budget))
}

function truncate(text: string, { args: [length, isHard, end], budget }: FilterCall): string {
  const most = wholeOf(length, 255) || 255
  if (text.length <= most) return text
  const space = text.lastIndexOf(' ', most)
  return text.slice(0, isHard || space < 0 ? most : space) + textOf(end ?? '...', budget)
}

function wordcount(text: string, { budget }: FilterCall): number | null {
  budget.step(text.length / 4)
  return text.match(/\w+/g)?.length ?? null
}

function urlencode(value: unknown, { budget }: FilterCall): string {
  const encode = (part: unknown) => {
    const text = textOf(part, budget)
    budget.write(text.length * 9)
    return encodeURIComponent(text)
  }
  if (typeof value === 'string') return encode(value)
  const pairs = isRecord(value)
    ? keysOf(value).map(key => [key, memberOf(value, key)])
    : listOf(value, 'urlencode', budget).map(pair => [memberAt(pair, 0), memberAt(pair, 1)])
  budget.step(pairs.length)
  return pairs.map(([key, part]) => `${encode(key)}=${encode(part)}`).join('&')
}
