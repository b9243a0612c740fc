// The shape of groups and profiles: keys that are known, values of the right type, nothing twice.

import { nearest } from '#progress/nearest.ts'
import { KIND_NAMES, type Member, type Node, placeAt } from '../ignition/tree.ts'
import type { Findings } from './findings.ts'

type Wanted = 'text' | 'texts' | 'object' | 'integer' | Shape
type Shape = { readonly [key: string]: Wanted }

/** What a group's file may hold. */
export const GROUP_SHAPE: Shape = {
  id: 'text',
  name: 'text',
  profile: 'text',
  selector: 'object',
  priority: 'integer',
  metadata: 'object',
}

/** What a profile's file may hold. */
export const PROFILE_SHAPE: Shape = {
  id: 'text',
  name: 'text',
  boot: { kernel: 'text', initrd: 'texts', args: 'texts' },
  ignition_id: 'text',
  generic_id: 'text',
  cloud_id: 'text',
}

/** Holds a tree against a shape. Names count in any case, as Matchbox reads them; null is absence. */
export function checkShape(file: string, text: string, root: Node, shape: Shape, findings: Findings): void {
  const placed = (offset: number) => ({ file, ...placeAt(text, offset) })
  checkRepeats(root)
  checkValue(root, '', shape)

  function checkValue(node: Node, key: string, wanted: Wanted): void {
    const found = node.kind
    if (found === 'null') return
    if (typeof wanted === 'object') {
      if (found === 'object') for (const member of node.members) checkMember(member, key, wanted)
      else wrong(node, key, 'an object')
    } else if (wanted === 'text') {
      if (found !== 'string') wrong(node, key, 'a text in quotes')
    } else if (wanted === 'object') {
      if (found !== 'object') wrong(node, key, 'an object')
    } else if (wanted === 'integer') {
      if (found !== 'number' || !/^-?\d{1,15}$/.test(node.text)) wrong(node, key, 'a whole number')
    } else if (found === 'list') {
      for (const item of node.items) checkValue(item, key, 'text')
    } else wrong(node, key, 'a list of texts')
  }

  function checkMember({ key, at, value }: Member, above: string, allowed: Shape): void {
    const known = Object.keys(allowed).find(name => name === key.toLowerCase())
    if (known !== undefined) return checkValue(value, known, allowed[known] ?? 'text')
    const guess = nearest(key, Object.keys(allowed))
    const mend = `${guess === undefined ? '' : `did you mean "${guess}"? `}known are ${Object.keys(allowed).join(' ')}`
    findings.error(
      'PL-2003',
      placed(at),
      `nothing reads the key "${above === '' ? key : `${above}.${key}`}"`,
      mend,
    )
  }

  function wrong(node: Node, key: string, wanted: string): void {
    const what = `${key === '' ? 'the file' : key} holds ${KIND_NAMES[node.kind]}`
    findings.error('PL-2002', placed(node.at), what, `write ${wanted}; as it is, the file is left out`)
  }

  function checkRepeats(node: Node): void {
    if (node.kind === 'list') for (const item of node.items) checkRepeats(item)
    if (node.kind !== 'object') return
    const seen = new Set<string>()
    for (const { key, at, value } of node.members) {
      if (seen.has(key))
        findings.error(
          'PL-2005',
          placed(at),
          `"${key}" is there twice; the last one counts`,
          'keep one of them',
        )
      seen.add(key)
      checkRepeats(value)
    }
  }
}
