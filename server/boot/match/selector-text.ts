// What a selector asks for, as people read it: in tables, explanations and findings.

import { type Requirement, type Selector, isList } from '#model/selector.ts'

/** A selector as text: `mac=52:54:…, address in 10.20.0.0/24`, or `any machine`. */
export function selectorText(selector: Selector): string {
  const asks = Object.entries(selector).map(([key, wanted]) => requirementText(key, wanted))
  return asks.join(', ') || 'any machine'
}

/** A requirement as text: `rack=a or rack=b`, `hostname like cmp-*`, `no os`. */
export function requirementText(key: string, wanted: Requirement): string {
  if (typeof wanted === 'string') return wanted === '' ? `no ${key}` : `${key}=${wanted}`
  if (isList(wanted)) return wanted.map(one => requirementText(key, one)).join(' or ')
  if ('glob' in wanted) return `${key} like ${wanted.glob}`
  if ('cidr' in wanted) return `${key} in ${wanted.cidr}`
  return wanted.present ? `some ${key}` : `no ${key}`
}
