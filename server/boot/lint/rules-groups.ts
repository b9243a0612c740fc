// What can be wrong with groups: with one by itself, and with several together.

import type { Group } from '#model/group.ts'
import { type Selector, isList } from '#model/selector.ts'
import { isUuid } from '#model/uuid.ts'
import { compareRanked, compareTier, ranked } from '../match/order.ts'
import { takesAll } from '../match/overlap.ts'
import { foldOf } from '../match/requirement.ts'
import type { Document } from './document.ts'
import type { Findings } from './findings.ts'
import { isIdentity, overlapRules, type Placed } from './rules-overlaps.ts'
import type { World } from './world.ts'

/** The labels that our boot scripts and Matchbox's send, as they are written there. */
const SENT = ['mac', 'uuid', 'serial', 'hostname', 'domain', 'arch']

/** What each group has to keep by itself. */
export function groupRules(
  document: Document<Group>,
  { sentKeys }: Pick<World, 'sentKeys'>,
  findings: Findings,
): void {
  const { object: group, name } = document
  if (group.id !== '' && group.id !== name) {
    const what = `the id "${group.id}" is not the name of the file`
    findings.warning(
      'PL-2006',
      document.at('id'),
      what,
      `write "${name}", or rename the file to ${group.id}.json`,
    )
  }
  for (const [key, wanted] of Object.entries(group.selector ?? {})) {
    const place = document.at('selector', key)
    const usual = SENT.find(label => label === key.toLowerCase())
    if (usual !== undefined && usual !== key && !sentKeys().has(key)) {
      findings.warning('PL-2011', place, `machines send "${usual}", never "${key}"`, `write ${usual}`)
    }
    for (const uuid of key === 'uuid' ? textsOf(wanted) : []) {
      if (uuid === '' || isUuid(uuid)) continue
      const remedy = 'write it as firmware shows it: 8-4-4-4-12 hexadecimal digits'
      findings.warning('PL-2011', place, `"${uuid}" is not a UUID, so no machine sends it`, remedy)
    }
  }
  metadataRules(document, findings)
}

/** The rules about several groups at once: twins, ties, overlaps, and ids used twice. */
export function orderRules(documents: readonly Document<Group>[], findings: Findings): void {
  const placed = documents
    .map(document => ({ document, ...ranked(document.object, `${document.name}.json`) }))
    .toSorted(compareRanked)
  twinRules(placed, findings)
  spellingRules(placed, findings)
  priorityRules(placed, findings)
  tieRules(placed, findings)
  overlapRules(placed, findings)
  idRules(documents, findings)
}

/** What `/metadata` and templates would show twice under one name. */
function metadataRules(document: Document<Group>, findings: Findings): void {
  const { metadata = {}, selector = {} } = document.object
  const seen = new Map<string, string>()
  for (const key of Object.keys(metadata)) {
    const place = document.at('metadata', key)
    const twin = seen.get(key.toUpperCase())
    const warn = (what: string) => findings.warning('PL-2038', place, what, 'give one of them another name')
    if (key === 'request') warn('"request" is hidden by the labels of the request')
    else if (Object.keys(selector).some(label => label.toLowerCase() === key)) {
      warn(`"${key}" is hidden by the label of that name in the selector`)
    } else if (twin !== undefined) warn(`"${key}" and "${twin}" are both ${key.toUpperCase()} in /metadata`)
    seen.set(key.toUpperCase(), key)
  }
}

/** Groups that ask for the very same: only the first is ever reached. */
function twinRules(placed: readonly Placed[], findings: Findings): void {
  const first = new Map<string, Placed>()
  for (const one of placed) {
    const { selector = {} } = one.group
    const { mac, ...others } = selector
    const rest = `${one.priority} ${ranked({ ...one.group, selector: others }, '').text}`
    const keys = mac === undefined ? [rest] : textsOf(mac).map(text => `${rest} ${text}`)
    for (const key of keys) {
      const before = first.get(key)
      if (before === undefined) first.set(key, one)
      else if (mac === undefined) {
        const what = `group ${before.document.file} asks for the very same and goes first`
        findings.error(
          'PL-2014',
          one.document.at('selector'),
          what,
          'ask for something else, or remove one of them',
        )
      } else {
        const what = `${key.slice(rest.length + 1)} is in ${before.document.file} too, which goes first`
        findings.error('PL-2012', one.document.at('selector', 'mac'), what, 'leave it in one of them')
      }
    }
  }
}

/** Groups that ask for the same UUID or serial number, each in its own spelling: a third one is met by both. */
function spellingRules(placed: readonly Placed[], findings: Findings): void {
  const first = new Map<string, Placed>()
  for (const one of placed) {
    const { selector = {} } = one.group
    const spelt = Object.entries(selector).map(([key, wanted]) => [
      key,
      typeof wanted === 'string' ? foldOf(key, wanted) : wanted,
    ])
    const key = `${one.priority} ${ranked({ ...one.group, selector: Object.fromEntries(spelt) as Selector }, '').text}`
    const before = first.get(key)
    if (before === undefined) first.set(key, one)
    else if (before.text !== one.text) {
      const what = `group ${before.document.file} asks for the same in another spelling, and goes first but for this very text`
      findings.warning('PL-2013', one.document.at('selector'), what, 'leave it in one of them')
    }
  }
}

/** Groups behind one of greater priority that takes all of their machines. */
function priorityRules(placed: readonly Placed[], findings: Findings): void {
  const greater = placed.filter(({ priority }) => priority > 0)
  for (const one of placed) {
    const above = greater.find(
      other => other.priority > one.priority && takesAll(selectorOf(other), selectorOf(one)),
    )
    if (above === undefined) continue
    const what = `group ${above.document.file} has priority ${above.priority} and takes all machines of this one`
    const remedy = `give this one a greater priority, or that one none`
    findings.error('PL-2014', one.document.at('selector'), what, remedy)
  }
}

/** Groups that may take the same machine, with as many requirements: the sorting of their texts decides. */
function tieRules(placed: readonly Placed[], findings: Findings): void {
  const kinds = [...Map.groupBy(placed, kindOf).values()]
  const rivals = new Map<Placed, Placed[]>()
  for (const [at, some] of kinds.entries()) {
    for (const others of kinds.slice(at + 1)) {
      const [winner, loser] = firstTie(some, others) ?? []
      if (winner && loser) rivals.set(loser, [...(rivals.get(loser) ?? []), winner])
    }
  }
  const sizes = new Map(kinds.flatMap(kind => kind.map(placed => [placed, kind.length])))
  for (const [loser, winners] of rivals) {
    const names = winners.map(({ document }) => document.file).join(', ')
    const alike = (sizes.get(loser) ?? 1) - 1
    const more =
      alike === 0 ? '' : ` (${alike} more ${alike === 1 ? 'group asks' : 'groups ask'} for the same labels)`
    const what = `a machine may fit ${names} too, with as many requirements; what sorts last goes first, and this does not${more}`
    const remedy = 'ask for one label more, or give one of them a priority'
    findings.warning('PL-2013', loser.document.at('selector'), what, remedy)
  }
}

/** Groups of one kind ask for the same labels. */
function kindOf({ group: { selector = {} }, priority }: Placed): string {
  return JSON.stringify([priority, Object.keys(selector).toSorted()])
}

/** Of two kinds of groups the first pair that one machine may fit: who goes first, and who does not. */
function firstTie(some: readonly Placed[], others: readonly Placed[]): readonly [Placed, Placed] | undefined {
  const [one, other] = [some[0], others[0]]
  if (one === undefined || other === undefined || compareTier(one, other) !== 0) return undefined
  const [keys, otherKeys] = [one, other].map(({ group }) => Object.keys(group.selector ?? {}))
  if (keys === undefined || otherKeys === undefined || (keys.some(isIdentity) && otherKeys.some(isIdentity)))
    return undefined
  const shared = keys.filter(key => otherKeys.includes(key))
  const known = new Map(some.toReversed().map(placed => [sharedText(placed, shared), placed]))
  for (const rival of others) {
    const found = known.get(sharedText(rival, shared))
    if (found !== undefined) return compareRanked(found, rival) < 0 ? [found, rival] : [rival, found]
  }
  return undefined
}

function idRules(documents: readonly Document<Group>[], findings: Findings): void {
  const seen = new Map<string, string>()
  for (const document of documents) {
    const { id } = document.object
    const before = seen.get(id)
    if (id !== '' && before !== undefined) {
      findings.error(
        'PL-2007',
        document.at('id'),
        `${before} has the id "${id}" as well`,
        'give each its own',
      )
    }
    seen.set(id, document.file)
  }
}

function selectorOf({ group: { selector = {} } }: Placed): Selector {
  return selector
}

function sharedText({ group: { selector = {} } }: Placed, keys: readonly string[]): string {
  return JSON.stringify(keys.map(key => selector[key]))
}

function textsOf(wanted: Selector[string]): string[] {
  if (!isList(wanted)) return typeof wanted === 'string' ? [wanted] : []
  return wanted.filter(one => typeof one === 'string')
}
