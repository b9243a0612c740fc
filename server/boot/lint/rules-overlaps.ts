// Groups of one rank whose patterns, networks or lists take the same machine: nothing written says which of them goes first.

import type { Group } from '#model/group.ts'
import { type Selector, isList } from '#model/selector.ts'
import { compareTier, type Ranked } from '../match/order.ts'
import { commonLabels, takesAll } from '../match/overlap.ts'
import { selectorText } from '../match/selector-text.ts'
import type { Document } from './document.ts'
import type { Findings } from './findings.ts'

/** A group with its place in the order in which they are tried. */
export type Placed = Ranked & { readonly document: Document<Group> }

/** Labels that identify a machine: groups that name different values of them rarely overlap. */
const IDENTITIES: ReadonlySet<string> = new Set(['mac', 'uuid', 'serial', 'hostname'])

/** Says whether a label identifies a machine. */
export function isIdentity(key: string): boolean {
  return IDENTITIES.has(key.toLowerCase())
}

/**
 * Finds groups that overlap with one that goes before them only because its text sorts last. `placed` is in the order in
 * which groups are tried. Plain texts are left to other rules, so the cost grows with the number of patterns.
 */
export function overlapRules(placed: readonly Placed[], findings: Findings): void {
  let tier: Placed[] = []
  let patterned: Placed[] = []
  for (const loser of placed) {
    if (tier[0] !== undefined && compareTier(tier[0], loser) !== 0) [tier, patterned] = [[], []]
    reportOverlaps(loser, isPatterned(loser.group) ? tier : patterned, findings)
    tier.push(loser)
    if (isPatterned(loser.group)) patterned.push(loser)
  }
}

/** Other groups that are named. */
const NAMED = 3

function reportOverlaps(loser: Placed, before: readonly Placed[], findings: Findings): void {
  const overlaps = before.flatMap(winner => overlapOf(winner, loser) ?? [])
  const [first] = overlaps
  if (first === undefined) return
  const place = loser.document.at('selector', first.key)
  const above = overlaps.find(({ isAll }) => isAll)
  if (above !== undefined) {
    const what = `group ${above.winner.document.file} goes first, as its text sorts last, and takes all machines of this one`
    return findings.error('PL-2014', place, what, 'give this one a priority, or narrow that one')
  }
  const names = overlaps.slice(0, NAMED).map(({ winner }) => winner.document.file)
  const more = overlaps.length > NAMED ? `, and ${overlaps.length - NAMED} more` : ''
  const what =
    `a machine with ${selectorText(first.labels)} fits ${names.join(', ')}${more} too, with as many requirements; ` +
    'what sorts last goes first, and this does not'
  findings.warning(
    'PL-2016',
    place,
    what,
    'narrow one of them, or give the one that is to go first a priority',
  )
}

type Overlap = {
  readonly winner: Placed
  /** The label that tells them apart. */
  readonly key: string
  /** A machine that fits both. */
  readonly labels: Record<string, string>
  readonly isAll: boolean
}

function overlapOf(winner: Placed, loser: Placed): Overlap | undefined {
  const { selector: ours = {} } = winner.group
  const { selector: theirs = {} } = loser.group
  const labels = commonLabels(ours, theirs)
  if (labels === undefined || (namesMore(ours, theirs) && namesMore(theirs, ours))) return undefined
  const key = Object.keys(labels).find(one => !isSame(ours[one], theirs[one]))
  return key === undefined ? undefined : { winner, key, labels, isAll: takesAll(ours, theirs) }
}

function isSame(a: Selector[string] | undefined, b: Selector[string] | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}

/** Says whether a selector names single machines by a label that the other does not ask for. */
function namesMore(selector: Selector, other: Selector): boolean {
  return Object.keys(selector).some(key => isIdentity(key) && !Object.hasOwn(other, key))
}

/** Says whether a group asks for more than texts. Lists of them that name machines are as many as there are machines. */
function isPatterned({ selector = {} }: Group): boolean {
  return Object.entries(selector).some(([key, wanted]) => {
    if (typeof wanted === 'string') return false
    return !isIdentity(key) || !isList(wanted) || wanted.some(item => typeof item !== 'string')
  })
}
