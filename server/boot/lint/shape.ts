// The shape of groups and profiles: keys that are known, values of the right type, nothing twice.

import type { Field } from '#model/fields.ts'
import { nearest } from '#model/nearest.ts'
import { foldedName } from '../../formats/ignition/go-names.ts'
import { KIND_NAMES, type Member, type Node, placeAt } from '../../formats/ignition/tree.ts'
import type { Findings } from './findings.ts'

/** What a value must be: the value of a field, or the file, which is an object with these fields. */
type Wanted = Pick<Field, 'type' | 'fields'>

/** Checks a tree against the fields of its kind. Names count in any case, as Matchbox reads them; null is absence. */
export function checkShape(
  file: string,
  text: string,
  root: Node,
  fields: readonly Field[],
  findings: Findings,
): void {
  const placed = (offset: number) => ({ file, ...placeAt(text, offset) })
  checkRepeats(root, true)
  checkValue(root, '', { type: 'object', fields })

  function checkValue(node: Node, key: string, { type, fields: known }: Wanted): void {
    const found = node.kind
    if (found === 'null') return
    if (type === 'object') {
      if (found === 'object') for (const member of node.members) checkMember(member, key, known)
      else wrong(node, key, 'an object')
    } else if (type === 'text') {
      if (found !== 'string') wrong(node, key, 'a text in quotes')
    } else if (type === 'record' || type === 'selector') {
      if (found !== 'object') wrong(node, key, 'an object')
    } else if (type === 'integer') {
      if (found !== 'number' || !/^-?\d{1,15}$/.test(node.text)) wrong(node, key, 'a whole number')
    } else if (found === 'list') {
      for (const item of node.items) checkValue(item, key, { type: 'text', fields: [] })
    } else wrong(node, key, 'a list of texts')
  }

  function checkMember({ key, at, value }: Member, above: string, allowed: readonly Field[]): void {
    const known = allowed.find(({ name }) => name === foldedName(key))
    if (known !== undefined) return checkValue(value, known.name, known)
    const names = allowed.map(({ name }) => name)
    const guess = nearest(key, names)
    const remedy = `${guess === undefined ? '' : `did you mean "${guess}"? `}known are ${names.join(' ')}`
    findings.error(
      'PL-2003',
      placed(at),
      `nothing reads the key "${above === '' ? key : `${above}.${key}`}"`,
      remedy,
    )
  }

  function wrong(node: Node, key: string, wanted: string): void {
    const what = `${key === '' ? 'the file' : key} holds ${KIND_NAMES[node.kind]}`
    findings.error('PL-2002', placed(node.at), what, `write ${wanted}; as it is, the file is left out`)
  }

  /** Names of fields count in any case; those of labels and of metadata do not. */
  function checkRepeats(node: Node, hasFields = false): void {
    if (node.kind === 'list') for (const item of node.items) checkRepeats(item)
    if (node.kind !== 'object') return
    const seen = new Map<string, string>()
    for (const { key, at, value } of node.members) {
      const name = hasFields ? foldedName(key) : key
      const first = seen.get(name)
      if (first === undefined) seen.set(name, key)
      else {
        const where = first === key ? `"${key}" is there twice` : `"${key}" is the same key as "${first}"`
        const isMerged = hasFields && value.kind === 'object'
        const effect = isMerged ? 'both are merged, as in Matchbox' : 'the last one counts'
        findings.error('PL-2005', placed(at), `${where}; ${effect}`, 'keep one of them')
      }
      checkRepeats(value, node === root && name === 'boot')
    }
  }
}
