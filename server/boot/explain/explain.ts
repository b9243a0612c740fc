// Why a machine gets what it gets: which group takes it, why not another, what would be served, and what is wrong with
// any of that.

import type { LintFinding } from '#model/finding.ts'
import { normaliseMac } from '#model/mac.ts'
import type { Machine } from '#model/machine.ts'
import { assetsNamed } from '#model/profile-assets.ts'
import type { Profile } from '#model/profile.ts'
import type { Labels, Requirement } from '#model/selector.ts'
import type { Problem } from '../../inventory/data-directory.ts'
import type { Found, KnownBy } from '../../machines/identity.ts'
import { lintCatalog } from '../lint/catalog.ts'
import { shownFor, type Known, type Verdict } from '../match/groups.ts'
import { requirementText } from '../match/selector-text.ts'
import { foundBy, knownOf, type Sources } from '../render/answers.ts'
import { pagesOf, type Page } from './pages.ts'

/** The answer to "what happens when this machine boots?". */
export type Explanation = {
  /** As they are matched: a MAC normalised, what cannot be used left out. */
  readonly labels: Labels
  /** What was given and cannot be used, as a text each. */
  readonly dropped: readonly string[]
  /** The declared machine, and by which of the labels it is known. */
  readonly machine?: NamedMachine
  /** How many groups there are. */
  readonly groups: number
  /** The group that takes the machine. */
  readonly winner?: Candidate
  /** Those that do not, at most `LOSERS` or all: first those that fit as well, then those that miss least. */
  readonly losers: readonly Candidate[]
  /** How many further groups do not take it. */
  readonly more: number
  /** The profile that the winner names, if it exists. */
  readonly profile?: Profile
  readonly serves: readonly Page[]
  readonly lints: readonly LintFinding[]
  /** Files of the data directory that cannot be used: one of them may be the group that is missing. */
  readonly problems: readonly Problem[]
}

/** A declared machine, and the label that it was found by. */
export type NamedMachine = Pick<Machine, 'name' | 'role' | 'address' | 'macs'> & { readonly by: KnownBy }

/** A group, and why it wins or loses. */
export type Candidate = {
  readonly id: string
  readonly profile: string
  readonly priority: number
  readonly selector: Readonly<Record<string, Requirement>>
  readonly fits: boolean
  readonly why: string
}

/** Losers that are shown; a rack has thousands of groups that want another MAC. */
const LOSERS = 5
/** Losers that are shown where all are asked for. */
const ALL_LOSERS = 10_000
/** Groups that are examined: of those that fit, so many are compared with each other by the linter. */
const RIVALS = 50

/** What to explain, and how much of it. */
export type Question = {
  /** The query that the labels were read from, as pairs. */
  readonly given: Labels
  readonly assetsPath: string | undefined
  /** Whether all groups are to be listed that do not take the machine. */
  readonly all?: boolean
}

/** Explains what a machine with these labels gets. */
export function explain(
  sources: Sources,
  labels: Labels,
  { given, assetsPath, all = false }: Question,
): Explanation {
  const { catalog } = sources
  const found = foundBy(catalog, labels)
  const machine = found?.machine
  const known = knownOf(machine, machine?.address)
  const nearest = all ? catalog.groups.judged(labels, known) : catalog.groups.nearest(labels, known, RIVALS)
  const rivals = nearest.slice(0, RIVALS).filter(({ fit }) => fit !== 'none')
  const [winner] = rivals
  const losers = nearest.filter(verdict => verdict !== winner).slice(0, all ? ALL_LOSERS : LOSERS)
  const profile = winner && catalog.profileNamed(winner.group.profile)
  return {
    labels,
    dropped: droppedOf(given, labels),
    ...(found && { machine: pick(found) }),
    groups: catalog.groups.size,
    ...(winner && { winner: candidate(winner, winsBy(winner, rivals)) }),
    losers: losers.map(loser => candidate(loser, losesBy(loser, winner, labels, known))),
    more: catalog.groups.size - losers.length - (winner === undefined ? 0 : 1),
    ...(profile && { profile }),
    serves: winner ? pagesOf(sources, { labels, group: winner.group, machine, profile }) : [],
    lints: [
      ...(assetsPath === undefined && winner && profile
        ? withoutAssets(profile, winner.group.profile, catalog)
        : []),
      ...lintCatalog(
        sources,
        { groups: rivals.map(nameOf), profiles: winner && profile ? [winner.group.profile] : [] },
        assetsPath,
      ),
    ],
    problems: catalog.problems,
  }
}

/** What a profile makes machines fetch from a server that has no assets. */
function withoutAssets(profile: Profile, name: string, catalog: Sources['catalog']): LintFinding[] {
  const [first, ...more] = assetsNamed(profile)
  if (first === undefined) return []
  const file = catalog.file('profile', name)?.path ?? `profiles/${name}.json`
  const rest = more.length === 0 ? '' : ` and ${more.length} more`
  const what = `this server has no assets folder, so /assets/${first.asset}${rest} is answered 404`
  const remedy =
    'start it with  --assets-path DIRECTORY , which  pilotlight images build --assets-path DIRECTORY  filled'
  return [{ code: 'PL-2041', severity: 'warning', file, line: 1, column: 1, what, remedy }]
}

function candidate({ group, priority, fit, order }: Verdict, why: string): Candidate {
  const { profile, selector = {} } = group
  return {
    id: group.id === '' ? nameOf({ order }) : group.id,
    profile,
    priority,
    selector,
    fits: fit !== 'none',
    why,
  }
}

function nameOf({ order }: Pick<Verdict, 'order'>): string {
  return order.slice(0, -'.json'.length)
}

function winsBy(winner: Verdict, rivals: readonly Verdict[]): string {
  const next = rivals.find(rival => rival !== winner)
  const asks =
    winner.size === 0 ? 'takes any machine' : `all that it asks for is there (${count(winner.size)})`
  if (next === undefined) return `${asks}; no other group fits`
  return `${asks}; before ${nameOf(next)}: ${difference(winner, next)}`
}

function losesBy(loser: Verdict, winner: Verdict | undefined, labels: Labels, known: Known): string {
  if (loser.fit !== 'none')
    return winner === undefined ? 'fits' : `fits, but behind: ${difference(winner, loser)}`
  const [first = '', ...more] = loser.missed
  const [shown] = shownFor(first, labels, known)
  const wants = requirementText(first, loser.group.selector?.[first] ?? '')
  const rest = more.length === 0 ? '' : `, and ${more.length} more`
  return `wants ${wants}; the machine shows ${shown === undefined || shown === '' ? 'none' : shown}${rest}`
}

/** What put `first` before `second`. */
function difference(first: Verdict, second: Verdict): string {
  if (first.priority !== second.priority) return `priority ${first.priority}, not ${second.priority}`
  if (first.size !== second.size) return `${count(first.size)}, not ${second.size}`
  if (first.fit !== second.fit) return 'the very text, not only the same in another spelling'
  if (first.text !== second.text) return 'as many requirements, and its text sorts last'
  return 'the same requirements, and its name sorts first'
}

function count(size: number): string {
  return size === 1 ? '1 requirement' : `${size} requirements`
}

function droppedOf(given: Labels, labels: Labels): string[] {
  return Object.entries(given).flatMap(([key, value]) => {
    if (Object.hasOwn(labels, key)) return []
    return normaliseMac(value) === undefined ? [`${key}=${value} is not a MAC address, and is left out`] : []
  })
}

function pick({ machine: { name, role, address, macs }, by }: Found): NamedMachine {
  return { name, role, address, macs, by }
}
