// Whether two selectors can take one machine, and whether one takes all machines of the other: what the linter needs to
// know of patterns.

import { parseNetwork } from '#model/address.ts'
import { type Condition, type Requirement, type Selector, isList } from '#model/selector.ts'
import { literalPrefix } from './glob.ts'
import { fitOf, foldCase, foldOf } from './requirement.ts'

/**
 * Labels with which a machine fits both selectors, of those that both ask for: a proof that they overlap. Undefined when
 * no machine fits both, or none was found: a glob for addresses is only tried with the first address of a network.
 */
export function commonLabels(a: Selector, b: Selector): Record<string, string> | undefined {
  const labels: Record<string, string> = {}
  for (const [key, wanted] of Object.entries(a)) {
    const other = Object.hasOwn(b, key) ? b[key] : undefined
    if (other === undefined) continue
    const text = commonLabel(key, wanted, other)
    if (text === undefined) return undefined
    labels[key] = text
  }
  return labels
}

/**
 * Says whether every machine of `inner` is one of `outer`, as far as their requirements show one by one; of two
 * different globs they do not.
 */
export function takesAll(outer: Selector, inner: Selector): boolean {
  return Object.entries(outer).every(([key, wanted]) => {
    const other = Object.hasOwn(inner, key) ? inner[key] : undefined
    return other !== undefined && itemsOf(key, other).every(item => takesItem(key, wanted, item))
  })
}

/** A text that meets both requirements of a label; the empty one is absence. */
function commonLabel(key: string, a: Requirement, b: Requirement): string | undefined {
  for (const item of itemsOf(key, a)) {
    for (const other of itemsOf(key, b)) {
      const text = commonText(key, item, other)
      if (text !== undefined) return text
    }
  }
  return undefined
}

function commonText(key: string, a: Item, b: Item): string | undefined {
  if (a.kind === 'text') {
    if (b.kind === 'text') return a.folded === b.folded ? a.text : undefined
    return metBy(key, b, a.text)
  }
  if (b.kind === 'text') return metBy(key, a, b.text)
  if (a.kind === 'network') return b.kind === 'network' ? narrower(a, b)?.first : metBy(key, b, a.first)
  return b.kind === 'network' ? metBy(key, a, b.first) : textOfBoth(a, b, SHAPES[key])
}

/** The form of every text of a label; `h` is a hexadecimal digit. */
const SHAPES: Readonly<Record<string, string>> = {
  mac: 'hh:hh:hh:hh:hh:hh',
  uuid: 'hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh',
}

function metBy(key: string, { condition }: Pattern, text: string): string | undefined {
  return fitOf(key, condition, text === '' ? [] : [text]) === 'none' ? undefined : text
}

/** Longer globs are not compared: they are no longer names of machines. In characters. */
const LONGEST_GLOB = 128

/** A text of this shape that both globs take, found by walking through them side by side. */
function textOfBoth(a: Glob, b: Glob, shape: string | undefined): string | undefined {
  if (!agree(a.start, b.start, (one, other) => one.startsWith(other))) return undefined
  if (!agree(a.end, b.end, (one, other) => one.endsWith(other))) return undefined
  const [one, other] = [a.glob, b.glob]
  if (Math.max(one.length, other.length) > LONGEST_GLOB) return undefined
  const seen = new Set<number>()
  return walk(0, 0, 0)

  /** What both take from these places on, and from this place of the shape. */
  function walk(here: number, there: number, at: number): string | undefined {
    const place = ((shape === undefined ? 0 : at) * (LONGEST_GLOB + 1) + here) * (LONGEST_GLOB + 1) + there
    if (seen.has(place)) return undefined
    seen.add(place)
    const [mine, yours] = [one[here], other[there]]
    if (mine === undefined && yours === undefined && (shape === undefined || at === shape.length)) return ''
    // A star that takes no more.
    const past =
      (mine === '*' ? walk(here + 1, there, at) : undefined) ??
      (yours === '*' ? walk(here, there + 1, at) : undefined)
    if (past !== undefined || mine === undefined || yours === undefined) return past
    // One character more; where both are stars, no text needs it but for its shape.
    if (shape === undefined && mine === '*' && yours === '*') return undefined
    const usual = shape?.[at]?.replace('h', '0') ?? '0'
    const next = isAny(mine) ? (isAny(yours) ? usual : yours) : mine
    if ((!isAny(yours) && next !== yours) || !isOfShape(shape, at, next)) return undefined
    const rest = walk(mine === '*' ? here : here + 1, yours === '*' ? there : there + 1, at + 1)
    return rest === undefined ? undefined : next + rest
  }
}

function agree(a: string, b: string, begins: (long: string, short: string) => boolean): boolean {
  return a.length < b.length ? begins(b, a) : begins(a, b)
}

function isAny(character: string): boolean {
  return character === '*' || character === '?'
}

function isOfShape(shape: string | undefined, at: number, character: string): boolean {
  if (shape === undefined) return true
  return shape[at] === 'h' ? /^[0-9a-f]$/.test(character) : shape[at] === character
}

function takesItem(key: string, outer: Requirement, inner: Item): boolean {
  if (inner.kind === 'text') return fitOf(key, outer, inner.text === '' ? [] : [inner.text]) !== 'none'
  return itemsOf(key, outer).some(item => {
    if (item.kind === 'network' && inner.kind === 'network') return narrower(item, inner) === inner
    return item.kind === 'glob' && inner.kind === 'glob' && item.glob === inner.glob
  })
}

/** Of two networks that which is within the other. */
function narrower(a: Net, b: Net): Net | undefined {
  if (b.start.startsWith(a.start)) return b
  return a.start.startsWith(b.start) ? a : undefined
}

/** One alternative of a requirement: a text or a pattern. */
type Item = { readonly kind: 'text'; readonly text: string; readonly folded: string } | Pattern
type Pattern = Glob | Net
type Glob = {
  readonly kind: 'glob'
  readonly condition: Condition
  readonly glob: string
  /** What every text begins and ends with. */
  readonly start: string
  readonly end: string
}
type Net = {
  readonly kind: 'network'
  readonly condition: Condition
  /** The bits that all of its addresses begin with, after their number. */
  readonly start: string
  /** An address of it. */
  readonly first: string
}

/** A cache by requirement, because each is compared often. */
const known = new WeakMap<object, { readonly key: string; readonly items: readonly Item[] }>()

function itemsOf(key: string, wanted: Requirement): readonly Item[] {
  if (typeof wanted === 'string') return [itemOf(key, wanted)]
  const before = known.get(wanted)
  if (before?.key === key) return before.items
  const items = (isList(wanted) ? wanted : [wanted]).map(one => itemOf(key, one))
  known.set(wanted, { key, items })
  return items
}

/** Presence is a glob, and absence the empty text. */
function itemOf(key: string, wanted: string | Condition): Item {
  if (typeof wanted === 'string') return { kind: 'text', text: wanted, folded: foldOf(key, wanted) }
  if ('cidr' in wanted) {
    return {
      kind: 'network',
      condition: wanted,
      start: startOf(wanted.cidr),
      first: wanted.cidr.split('/', 1)[0] ?? '',
    }
  }
  if ('present' in wanted && !wanted.present) return itemOf(key, '')
  const glob = foldCase(key, 'glob' in wanted ? wanted.glob : '?*')
  const [end = ''] = /[^*?]*$/.exec(glob) ?? []
  return { kind: 'glob', condition: wanted, glob, start: literalPrefix(glob), end }
}

function startOf(cidr: string): string {
  const network = parseNetwork(cidr)
  if (network === undefined) return cidr // selectors that were read hold no such
  const { bits, width, length } = network
  return `${width} ${bits.toString(2).padStart(width, '0').slice(0, length)}`
}
