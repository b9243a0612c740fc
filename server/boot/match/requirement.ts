// How what a machine shows is compared with what a group wants of one label.

import { parseAddress, parseNetwork, prefixOf } from '#model/address.ts'
import {
  isList,
  labelOf,
  type Condition,
  type Labels,
  type Requirement,
  type Selector,
} from '#model/selector.ts'
import { canonicalUuid, plainUuid } from '#model/uuid.ts'
import { matchesGlob } from './glob.ts'

/**
 * How well a label meets a requirement: `exact` as Matchbox compares, `folded` only by what we know of the label, such
 * as the case of a UUID. Among equal groups an exact one goes first.
 */
export type Fit = 'exact' | 'folded' | 'none'

/** What templates see of a selector: the texts that it asks for; where it leaves a choice, what the machine shows. */
export function selectedValues(selector: Selector, labels: Labels): [key: string, value: string][] {
  return Object.entries(selector).map(([key, wanted]) => [
    key,
    typeof wanted === 'string' ? wanted : (labelOf(labels, key) ?? ''),
  ])
}

/** Compares the texts that a machine shows for a label (its own first, then those known to be the same) with a requirement. */
export function fitOf(key: string, wanted: Requirement, shown: readonly string[]): Fit {
  if (typeof wanted === 'string') return textFit(key, wanted, shown)
  if (isList(wanted)) {
    let best: Fit = 'none'
    for (const one of wanted) {
      const fit = typeof one === 'string' ? textFit(key, one, shown) : conditionFit(key, one, shown)
      if (fit === 'exact') return fit
      if (fit === 'folded') best = fit
    }
    return best
  }
  return conditionFit(key, wanted, shown)
}

/** How a label's text is compared beyond Matchbox: firmware differs in the case of serial numbers and the form of UUIDs. */
export function foldOf(key: string, text: string): string {
  if (key === 'uuid') return canonicalUuid(text)
  return key === 'serial' ? text.toLowerCase() : text
}

function textFit(key: string, wanted: string, shown: readonly string[]): Fit {
  if (wanted === (shown[0] ?? '')) return 'exact'
  const folded = foldOf(key, wanted)
  return shown.some(text => foldOf(key, text) === folded) ? 'folded' : 'none'
}

function conditionFit(key: string, wanted: Condition, shown: readonly string[]): Fit {
  return shown.some(text => meets(key, wanted, text)) || (shown.length === 0 && meets(key, wanted, ''))
    ? 'exact'
    : 'none'
}

function meets(key: string, wanted: Condition, text: string): boolean {
  if ('present' in wanted) return wanted.present === (text !== '')
  if ('glob' in wanted) return matchesGlob(foldCase(key, wanted.glob), foldCase(key, text))
  const network = parseNetwork(wanted.cidr)
  const address = parseAddress(text)
  if (network === undefined || address?.width !== network.width) return false
  return prefixOf(address, network.length) === network.bits
}

/** A label's text, or a glob for it, in the case and form in which they are compared. */
export function foldCase(key: string, text: string): string {
  if (key === 'uuid') return plainUuid(text)
  return key === 'mac' || key === 'serial' ? text.toLowerCase() : text
}
