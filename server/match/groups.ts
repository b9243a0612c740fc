// Which group takes a machine. The order is Matchbox's; the index makes the cost of a request independent of
// the number of groups.

import type { Group, Labels } from '../inventory/objects.ts'

/** Says whether `labels` meet every requirement of `selector`; an empty one takes any machine. */
export function matches(selector: Labels, labels: Labels): boolean {
  for (const key in selector) {
    if (!fits(key, selector[key] ?? '', labels[key] ?? '')) return false
  }
  return true
}

/**
 * Groups in the order in which they are tried: the one with most requirements first; among equals the one
 * whose selector text sorts last, as in Matchbox; identical selectors keep the order given.
 */
export function inMatchingOrder(groups: readonly Group[]): Group[] {
  return groups
    .map(group => ({
      group,
      size: Object.keys(group.selector ?? {}).length,
      text: textOf(group.selector ?? {}),
    }))
    .toSorted((a, b) => b.size - a.size || b.text.compare(a.text))
    .map(({ group }) => group)
}

/**
 * An index of groups, made once for each change. Every group waits in one bucket: the one of the requirement
 * that fewest groups share (`mac`, as a rule); a request looks only into the buckets of its own labels.
 */
export class GroupIndex {
  readonly #buckets = new Map<string, Entry[]>()
  /** Groups that no label leads to: without requirements, or which ask only for absence. */
  readonly #always: Entry[] = []
  /** All of them, in matching order. */
  readonly groups: readonly Group[]

  constructor(groups: readonly Group[]) {
    this.groups = inMatchingOrder(groups)
    const shared = new Map<string, number>()
    const pairsOf = this.groups.map(group =>
      Object.entries(group.selector ?? {})
        .filter(([, value]) => value !== '')
        .map(([key, value]) => bucketOf(key, value)),
    )
    for (const pair of pairsOf.flat()) shared.set(pair, (shared.get(pair) ?? 0) + 1)
    for (const [rank, group] of this.groups.entries()) {
      const [rarest] = (pairsOf[rank] ?? []).toSorted((a, b) => (shared.get(a) ?? 0) - (shared.get(b) ?? 0))
      const entry = { rank, group, selector: group.selector ?? {} }
      if (rarest === undefined) this.#always.push(entry)
      else if (this.#buckets.get(rarest)?.push(entry) === undefined) this.#buckets.set(rarest, [entry])
    }
  }

  /** The group that takes a machine with these labels, or undefined. */
  select(labels: Labels): Group | undefined {
    let best = this.#always.find(entry => matches(entry.selector, labels))
    for (const key in labels) {
      const bucket = this.#buckets.get(bucketOf(key, labels[key] ?? ''))
      const found = bucket?.find(entry => matches(entry.selector, labels))
      if (found !== undefined && (best === undefined || found.rank < best.rank)) best = found
    }
    return best?.group
  }
}

type Entry = { readonly rank: number; readonly group: Group; readonly selector: Labels }

/** Firmware differs in the case of the UUIDs that it shows; everything else is compared byte for byte. */
function fits(key: string, wanted: string, shown: string): boolean {
  return wanted === shown || (key === 'uuid' && wanted.toLowerCase() === shown.toLowerCase())
}

function bucketOf(key: string, value: string): string {
  return `${key}\0${key === 'uuid' ? value.toLowerCase() : value}`
}

function textOf(selector: Labels): Buffer {
  const pairs = Object.entries(selector).map(([key, value]) => Buffer.from(`${key}=${value}`))
  return Buffer.concat(
    pairs.toSorted((a, b) => a.compare(b)).flatMap((pair, at) => (at === 0 ? [pair] : [COMMA, pair])),
  )
}

const COMMA = Buffer.from(',')
