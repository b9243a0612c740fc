// The values of templates: plain data, and the functions that are meant for them. Nothing here reaches what JavaScript
// adds to data: prototypes, constructors, methods.

import type { Budget } from './budget.ts'

/** A function that templates may call: a built-in one, or a macro. */
export class Callable {
  readonly name: string
  readonly call: Call

  constructor(name: string, call: Call) {
    this.name = name
    this.call = call
  }
}

/** Arguments in order, and those with names. */
type Call = (args: readonly unknown[], named: ReadonlyMap<string, unknown>, budget: Budget) => unknown

/** Says whether a value is an object of data. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Callable)
}

/** The own keys of an object. */
export function keysOf(value: unknown): readonly string[] {
  return isRecord(value) ? Object.keys(value) : []
}

/** `of[key]`: an item, an own entry of an object, a length, or one of the methods below; else undefined. */
export function memberOf(of: unknown, key: unknown): unknown {
  if (typeof of === 'string') {
    if (key === 'length') return of.length
    if (typeof key === 'number') return of[key]
    return typeof key === 'string' ? methodOf(TEXT_METHODS, of, key) : undefined
  }
  if (Array.isArray(of)) {
    if (key === 'length') return of.length
    if (typeof key === 'number') return dataOf(of[key])
    if (typeof key !== 'string') return undefined
    return /^\d+$/.test(key) ? dataOf(of[Number(key)]) : methodOf(LIST_METHODS, of, key)
  }
  if (!isRecord(of) || (typeof key !== 'string' && typeof key !== 'number')) return undefined
  return Object.hasOwn(of, key) ? dataOf(of[key]) : undefined
}

/** Functions of JavaScript are not data, wherever they come from. */
function dataOf(value: unknown): unknown {
  return typeof value === 'function' ? undefined : value
}

/**
 * A value as text, as JavaScript writes it; lists by commas.
 *
 * @throws {OverBudget}
 */
export function textOf(value: unknown, budget: Budget): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return joined(value, ',', budget)
  if (value instanceof Callable) throw new Error(`the function ${value.name} is not a text: call it`)
  if (isRecord(value)) return '[object Object]'
  return String(value)
}

/**
 * The items as text with `between` them; what is not there is empty.
 *
 * @throws {OverBudget}
 */
export function joined(items: readonly unknown[], between: string, budget: Budget): string {
  budget.step(items.length + 1)
  budget.write(between.length * items.length)
  return items
    .map(item => {
      const text = item === undefined || item === null ? '' : textOf(item, budget)
      budget.write(text.length)
      return text
    })
    .join(between)
}

/** A value as operators of JavaScript take it: a list or an object is a text. */
export function primitiveOf(value: unknown, budget: Budget): string | number | boolean | null | undefined {
  if (typeof value === 'object' && value !== null) return textOf(value, budget)
  return value as string | number | boolean | null | undefined // data has no other types
}

/**
 * A value as a number, as JavaScript makes it.
 *
 * @throws {OverBudget}
 */
export function numberOf(value: unknown, budget: Budget): number {
  const primitive = primitiveOf(value, budget)
  if (typeof primitive === 'string') budget.step(primitive.length / 16)
  return Number(primitive)
}

/**
 * Says whether two values are the same: `===`.
 *
 * @throws {OverBudget}
 */
export function isSame(a: unknown, b: unknown, budget: Budget): boolean {
  compared(a, b, budget)
  return a === b
}

/**
 * Below zero, zero, or above zero as two values are ordered by JavaScript; NaN where they have no order.
 *
 * @throws {OverBudget}
 */
export function orderOf(a: unknown, b: unknown, budget: Budget): number {
  const [x, y] = [primitiveOf(a, budget), primitiveOf(b, budget)] as [string, string] // whatever they are
  compared(x, y, budget)
  if (x < y) return -1
  if (x > y) return 1
  return x >= y ? 0 : Number.NaN
}

/** Long texts take long to compare. */
export function compared(a: unknown, b: unknown, budget: Budget): void {
  if (typeof a === 'string' && typeof b === 'string') budget.step(Math.min(a.length, b.length) / 256)
}

/** Says whether a list has this item. */
export function hasItem(list: readonly unknown[], item: unknown, budget: Budget): boolean {
  budget.step(list.length)
  return list.some(one => isSame(one, item, budget))
}

/** Characters of the longest number, and so of every other value that is neither a text, a list nor an object. */
const LONGEST_NUMBER = 24

/**
 * A value as JSON, indented by up to 10 spaces.
 *
 * @throws {OverBudget}
 */
export function jsonOf(value: unknown, spaces: number, budget: Budget): string | undefined {
  if (typeof value === 'string') {
    budget.write(value.length)
    return JSON.stringify(value)
  }
  const weigh = (item: unknown, level: number): void => {
    if (level > 200) throw new Error('it is nested too deep for JSON')
    budget.step()
    budget.write(level * spaces + LONGEST_NUMBER)
    if (typeof item === 'string') budget.write(item.length)
    else if (item instanceof Callable) throw new Error(`the function ${item.name} has no JSON: call it`)
    else if (Array.isArray(item)) for (const inner of item) weigh(inner, level + 1)
    else if (isRecord(item)) {
      for (const [key, inner] of Object.entries(item)) {
        budget.write(key.length + level * spaces)
        weigh(inner, level + 1)
      }
    }
  }
  weigh(value, 1)
  return JSON.stringify(value, undefined, spaces)
}

/** A whole number that an argument gives, or `otherwise`. */
export function wholeOf(value: unknown, otherwise: number): number {
  const number = typeof value === 'string' && value.length < 20 ? Number(value) : value
  return typeof number === 'number' && !Number.isNaN(number) ? Math.trunc(number) : otherwise
}

/**
 * Says whether a text holds another.
 *
 * @throws {OverBudget}
 */
export function holds(of: string, part: string, budget: Budget): boolean {
  return of.includes(sought(of, part, budget))
}

/** A search takes up to the product of both lengths (up to 250 of the part) in comparisons, 64 of them to a step. */
function sought(of: string, part: string, budget: Budget): string {
  budget.step((of.length * Math.min(part.length, 250)) / 64)
  return part
}

/** As `sought`, but a search from the end takes up to the whole product. */
function soughtBackwards(of: string, part: string, budget: Budget): string {
  budget.step((of.length * part.length) / 64)
  return part
}

type Method<T> = (of: T, args: readonly unknown[], budget: Budget) => unknown

function methodOf<T extends { readonly length: number }>(
  methods: ReadonlyMap<string, Method<T>>,
  of: T,
  key: string,
): Callable | undefined {
  const method = methods.get(key)
  if (method === undefined) return undefined
  return new Callable(key, (args, _, budget) => {
    budget.step(of.length / 16)
    return method(of, args, budget)
  })
}

function word(value: unknown, budget: Budget): string {
  return textOf(value, budget)
}

function end(value: unknown): number | undefined {
  return value === undefined ? undefined : wholeOf(value, 0)
}

/** Methods of texts, by name. */
export const TEXT_METHODS: ReadonlyMap<string, Method<string>> = new Map<string, Method<string>>([
  ['endsWith', (of, [part], budget) => of.endsWith(word(part, budget))],
  ['includes', (of, [part], budget) => holds(of, word(part, budget), budget)],
  ['indexOf', (of, [part], budget) => of.indexOf(sought(of, word(part, budget), budget))],
  ['lastIndexOf', (of, [part], budget) => of.lastIndexOf(soughtBackwards(of, word(part, budget), budget))],
  ['padEnd', (of, [width, fill], budget) => padded(of, width, fill, budget, 'padEnd')],
  ['padStart', (of, [width, fill], budget) => padded(of, width, fill, budget, 'padStart')],
  ['replace', (of, [old, by], budget) => replaced(of, word(old, budget), word(by, budget), 1, budget)],
  [
    'replaceAll',
    (of, [old, by], budget) => replaced(of, word(old, budget), word(by, budget), of.length + 1, budget),
  ],
  ['slice', (of, [from, to]) => of.slice(wholeOf(from, 0), end(to))],
  ['split', (of, [by], budget) => (by === undefined ? [of] : parts(of, word(by, budget), budget))],
  ['startsWith', (of, [part], budget) => of.startsWith(word(part, budget))],
  ['substring', (of, [from, to]) => of.substring(wholeOf(from, 0), end(to))],
  ['toLowerCase', (of, _, budget) => changed(of.toLowerCase(), budget)],
  ['toString', of => of],
  ['toUpperCase', (of, _, budget) => changed(of.toUpperCase(), budget)],
  ['trim', of => of.trim()],
])

/** Methods of lists, by name. */
export const LIST_METHODS: ReadonlyMap<string, Method<readonly unknown[]>> = new Map<
  string,
  Method<readonly unknown[]>
>([
  [
    'concat',
    (of, args, budget) => args.reduce<readonly unknown[]>((all, it) => appended(all, it, budget), of),
  ],
  ['includes', (of, [item], budget) => hasItem(of, item, budget)],
  ['indexOf', (of, [item], budget) => of.findIndex(one => isSame(one, item, budget))],
  ['join', (of, [by = ','], budget) => joined(of, word(by, budget), budget)],
  [
    'slice',
    (of, [from, to], budget) => {
      budget.step(of.length)
      return of.slice(wholeOf(from, 0), end(to))
    },
  ],
])

function appended(all: readonly unknown[], more: unknown, budget: Budget): readonly unknown[] {
  const items = Array.isArray(more) ? (more as readonly unknown[]) : [more]
  budget.step(all.length + items.length)
  return [...all, ...items]
}

function changed(text: string, budget: Budget): string {
  budget.write(text.length)
  return text
}

/** The parts of a text; each is a step, since a text of many takes memory. */
export function parts(of: string, by: string, budget: Budget): string[] {
  budget.step(countOf(of, by, budget) + 1)
  return of.split(by)
}

/**
 * `of` with up to `most` of `old` replaced; an empty `old` is between all characters.
 *
 * @throws {OverBudget}
 */
export function replaced(of: string, old: string, by: string, most: number, budget: Budget): string {
  const count = Math.min(countOf(of, old, budget) + (old === '' ? 2 : 0), most)
  budget.step(count)
  budget.write(of.length + count * by.length)
  if (most === 1) return of.replace(old, () => by)
  if (count < most) return of.replaceAll(old, () => by)
  let left = most
  return of.replaceAll(old, all => (left-- > 0 ? by : all))
}

/** How often `part` is in `of`; an empty one is between all characters. */
function countOf(of: string, part: string, budget: Budget): number {
  if (part === '') return Math.max(of.length - 1, 0)
  sought(of, part, budget)
  let count = 0
  for (let at = of.indexOf(part); at >= 0; at = of.indexOf(part, at + part.length)) count += 1
  return count
}

function padded(
  of: string,
  width: unknown,
  fill: unknown,
  budget: Budget,
  side: 'padStart' | 'padEnd',
): string {
  const wanted = wholeOf(width, 0)
  budget.write(Math.max(wanted, 0))
  return of[side](wanted, fill === undefined ? ' ' : word(fill, budget))
}
