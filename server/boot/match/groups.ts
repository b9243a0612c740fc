// Which group takes a machine. An index makes the cost of a request independent of the number of groups, and a change
// cost no more than what changed.

import { parseAddress, parseNetwork, prefixOf } from '#model/address.ts'
import type { Group } from '#model/group.ts'
import { type Condition, type Labels, type Requirement, isList, labelOf } from '#model/selector.ts'
import { literalPrefix } from './glob.ts'
import { compareRanked, compareTier, ranked, type Ranked } from './order.ts'
import { type Fit, fitOf, foldCase, foldOf } from './requirement.ts'

/** What the server knows of a machine besides its labels. */
export type Known = {
  /** Where its request comes from: stands in for the label `address` where none was sent. */
  readonly address?: string
  /** All MACs of the machine; any of them meets what a group wants of `mac`. */
  readonly macs?: readonly string[]
}

/** A group that was compared with labels. */
export type Verdict = Ranked & {
  readonly fit: Fit
  /** The labels that it wants and does not get. */
  readonly missed: readonly string[]
}

/**
 * The groups in an index. Every group is filed in a bucket under one of its requirements, the one whose bucket is smallest
 * (`mac`, as a rule). A request looks only into the buckets of its own labels.
 */
export class GroupIndex {
  readonly #entries = new Map<string, Ranked>()
  /** By index key. A bucket of one group has no list: there may be a hundred thousand of them. */
  readonly #buckets = new Map<string, Ranked | Ranked[]>()
  readonly #unsorted = new Set<Ranked[]>()
  /** Groups in no bucket: those without requirements, and those that ask only for absence. */
  readonly #always: Ranked[] = []
  readonly #lengths = new Map<string, Lengths>()
  #sorted: readonly Group[] | undefined

  /** Groups without names get some by which they keep the order given. */
  constructor(groups: Iterable<Group> = []) {
    let turn = 0
    for (const group of groups) this.put(String((turn += 1)).padStart(9, '0'), group)
  }

  /** How many there are. */
  get size(): number {
    return this.#entries.size
  }

  /** All of them, in the order in which they are tried. */
  get groups(): readonly Group[] {
    return (this.#sorted ??= [...this.#entries.values()].toSorted(compareRanked).map(({ group }) => group))
  }

  /** Adds a group, or replaces the one of this name. Of identical selectors the lesser name goes first. */
  put(name: string, group: Group): void {
    this.delete(name)
    const entry = ranked(group, `${name}.json`)
    this.#entries.set(name, entry)
    this.#sorted = undefined
    const indexKeys = this.#bestKeys(group)
    if (indexKeys === undefined) this.#append(this.#always, entry)
    else for (const indexKey of indexKeys) this.#addTo(indexKey, entry)
  }

  /** Removes the group of this name, if there is one. */
  delete(name: string): void {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    this.#entries.delete(name)
    this.#sorted = undefined
    without(this.#always, entry)
    for (const [key, wanted] of Object.entries(entry.group.selector ?? {})) {
      for (const indexKey of indexKeysOf(key, wanted) ?? []) this.#removeFrom(indexKey, entry)
    }
  }

  /** The group that takes a machine with these labels, or undefined. */
  select(labels: Labels, known: Known = {}): Group | undefined {
    return this.#best(labels, known)?.group
  }

  /**
   * The groups that come nearest to these labels: those that fit, then those that miss least, each in the order in which
   * they are tried; so the first is the one that `select` gives, if any fits. At most `most`; it costs a look at every group.
   */
  nearest(labels: Labels, known: Known, most: number): Verdict[] {
    const best: Verdict[] = []
    for (const entry of this.#entries.values()) {
      const worst = best.length < most ? undefined : best[most - 1]
      const missed = missedOf(entry.group, labels, known, worst?.missed.length)
      if (missed === undefined) continue
      const { fit } = missed.length === 0 ? verdictOf(entry.group, labels, known) : NO_FIT
      const verdict = { ...entry, fit, missed }
      if (worst !== undefined && compareNear(worst, verdict) <= 0) continue
      const at = best.findIndex(other => compareNear(verdict, other) < 0)
      best.splice(at < 0 ? best.length : at, 0, verdict)
      best.length = Math.min(best.length, most)
    }
    return best
  }

  /** All groups with their verdicts, in the order of `nearest`. */
  judged(labels: Labels, known: Known): Verdict[] {
    const all = [...this.#entries.values()].map(entry => {
      const missed = missedOf(entry.group, labels, known) ?? []
      const { fit } = missed.length === 0 ? verdictOf(entry.group, labels, known) : NO_FIT
      return { ...entry, fit, missed }
    })
    return all.toSorted(compareNear)
  }

  #best(labels: Labels, known: Known): Ranked | undefined {
    let best: Ranked | undefined
    let isExact = false
    const consider = (entries: Ranked | Ranked[]) => {
      for (const entry of Array.isArray(entries) ? this.#inOrder(entries) : [entries]) {
        // An exact fit goes before a folded one of the same tier, so only a tier below ends the search for it.
        if (best !== undefined && (isExact ? compareRanked(best, entry) : compareTier(best, entry)) < 0)
          return
        const { fit } = verdictOf(entry.group, labels, known)
        if (fit === 'none') continue
        if (best === undefined || isBetter(entry, fit === 'exact', best, isExact)) {
          best = entry
          isExact = fit === 'exact'
        }
      }
    }
    consider(this.#always)
    for (const indexKey of this.#keysFrom(labels, known)) {
      const found = this.#buckets.get(indexKey)
      if (found !== undefined) consider(found)
    }
    return best
  }

  /** The index keys under which a group is filed: those of the requirement whose largest bucket is smallest. */
  #bestKeys({ selector = {} }: Group): readonly string[] | undefined {
    let best: { readonly key: string; readonly indexKeys: readonly string[] } | undefined
    let fewest = Infinity
    for (const [key, wanted] of Object.entries(selector)) {
      const indexKeys = indexKeysOf(key, wanted)
      const size = Math.max(...(indexKeys ?? []).map(indexKey => this.#sizeOf(indexKey)))
      if (indexKeys === undefined || size >= fewest) continue
      best = { key, indexKeys }
      fewest = size
    }
    if (best !== undefined) this.#learn(best.key, selector[best.key] ?? '')
    return best?.indexKeys
  }

  #sizeOf(indexKey: string): number {
    const found = this.#buckets.get(indexKey)
    return found === undefined ? 0 : Array.isArray(found) ? found.length : 1
  }

  #addTo(indexKey: string, entry: Ranked): void {
    const found = this.#buckets.get(indexKey)
    if (found === undefined) this.#buckets.set(indexKey, entry)
    else if (Array.isArray(found)) this.#append(found, entry)
    else this.#buckets.set(indexKey, compareRanked(found, entry) <= 0 ? [found, entry] : [entry, found])
  }

  #removeFrom(indexKey: string, entry: Ranked): void {
    const found = this.#buckets.get(indexKey)
    if (Array.isArray(found)) without(found, entry)
    if (found === entry || (Array.isArray(found) && found.length === 0)) this.#buckets.delete(indexKey)
  }

  /** Appends, and leaves the sorting to the first reader: many groups are added at once. */
  #append(entries: Ranked[], entry: Ranked): void {
    const last = entries.at(-1)
    if (last !== undefined && compareRanked(last, entry) > 0) this.#unsorted.add(entries)
    entries.push(entry)
  }

  #inOrder(entries: Ranked[]): Ranked[] {
    if (this.#unsorted.delete(entries)) entries.sort(compareRanked)
    return entries
  }

  /** Remembers which lengths of prefixes and networks there are of a label. */
  #learn(key: string, wanted: Requirement): void {
    for (const one of isList(wanted) ? wanted : [wanted]) {
      if (typeof one === 'string' || 'present' in one) continue
      const lengths = this.#lengths.get(key) ?? { prefixes: new Set(), networks: new Set() }
      this.#lengths.set(key, lengths)
      if ('glob' in one) lengths.prefixes.add(literalPrefix(foldCase(key, one.glob)).length)
      else lengths.networks.add(parseNetwork(one.cidr)?.length ?? 0)
    }
  }

  *#keysFrom(labels: Labels, known: Known): Iterable<string> {
    for (const key of Object.keys(labels)) yield* this.#keysOfLabel(key, shownFor(key, labels, known))
    for (const key of ['mac', 'address']) {
      if (labelOf(labels, key) === undefined) yield* this.#keysOfLabel(key, shownFor(key, labels, known))
    }
  }

  *#keysOfLabel(key: string, shown: readonly string[]): Iterable<string> {
    const lengths = this.#lengths.get(key)
    for (const text of shown) {
      if (text === '') continue
      yield textKey(key, text)
      yield presenceKey(key)
      if (lengths === undefined) continue
      const folded = foldCase(key, text)
      for (const length of lengths.prefixes) {
        if (length <= folded.length) yield prefixKey(key, folded.slice(0, length))
      }
      const address = lengths.networks.size === 0 ? undefined : parseAddress(text)
      if (address === undefined) continue
      for (const length of lengths.networks) {
        if (length <= address.width) yield networkKey(key, address.width, length, prefixOf(address, length))
      }
    }
  }
}

/** Compares one group with labels: the worst fit of its requirements. */
export function verdictOf(
  { selector = {} }: Group,
  labels: Labels,
  known: Known = {},
): { readonly fit: Fit } {
  let worst: Fit = 'exact'
  for (const key of Object.keys(selector)) {
    const fit = fitOf(key, selector[key] ?? '', shownFor(key, labels, known))
    if (fit === 'none') return NO_FIT
    if (fit === 'folded') worst = fit
  }
  return { fit: worst }
}

/** Lengths of the literal beginnings of globs, and of networks, that are in index keys. */
type Lengths = { readonly prefixes: Set<number>; readonly networks: Set<number> }

const NOTHING: readonly string[] = []
const NO_FIT = { fit: 'none' } as const

/** The texts that a machine shows for a label; what it sent comes first. */
export function shownFor(key: string, labels: Labels, { address, macs }: Known): readonly string[] {
  const own = labelOf(labels, key)
  if (key === 'mac' && macs !== undefined && macs.length > 0) return own === undefined ? macs : [own, ...macs]
  if (own !== undefined) return [own]
  return key === 'address' && address !== undefined ? [address] : NOTHING
}

/** The labels of a group that are not met; undefined once they are more than `most`. */
function missedOf(
  { selector = {} }: Group,
  labels: Labels,
  known: Known,
  most = Infinity,
): string[] | undefined {
  const missed: string[] = []
  for (const key of Object.keys(selector)) {
    if (fitOf(key, selector[key] ?? '', shownFor(key, labels, known)) !== 'none') continue
    if (missed.length === most) return undefined
    missed.push(key)
  }
  return missed
}

function compareNear(a: Verdict, b: Verdict): number {
  const inexact = Number(a.fit !== 'exact') - Number(b.fit !== 'exact')
  return a.missed.length - b.missed.length || compareTier(a, b) || inexact || compareRanked(a, b)
}

function isBetter(entry: Ranked, exact: boolean, best: Ranked, bestExact: boolean): boolean {
  return (compareTier(entry, best) || Number(bestExact) - Number(exact) || compareRanked(entry, best)) < 0
}

/** The index keys of a requirement, any of which meets it; undefined when absence may meet it. */
function indexKeysOf(key: string, wanted: Requirement): readonly string[] | undefined {
  const indexKeys = (isList(wanted) ? wanted : [wanted]).map(one =>
    typeof one === 'string' ? (one === '' ? undefined : textKey(key, one)) : conditionKey(key, one),
  )
  return indexKeys.includes(undefined) ? undefined : [...new Set(indexKeys as string[])] // none of them is undefined
}

function conditionKey(key: string, wanted: Condition): string | undefined {
  if ('present' in wanted) return wanted.present ? presenceKey(key) : undefined
  if ('glob' in wanted) {
    // A pattern of nothing but * takes the empty text too.
    return /^\*+$/.test(wanted.glob) ? undefined : prefixKey(key, literalPrefix(foldCase(key, wanted.glob)))
  }
  const network = parseNetwork(wanted.cidr)
  return network && networkKey(key, network.width, network.length, network.bits)
}

function textKey(key: string, text: string): string {
  return `${key}\0=${foldOf(key, text)}`
}

function presenceKey(key: string): string {
  return `${key}\0+`
}

function prefixKey(key: string, prefix: string): string {
  return `${key}\0*${prefix}`
}

function networkKey(key: string, width: number, length: number, bits: bigint): string {
  return `${key}\0/${width}/${length}/${bits.toString(16)}`
}

function without(entries: Ranked[], entry: Ranked): void {
  const at = entries.indexOf(entry)
  if (at >= 0) entries.splice(at, 1)
}
