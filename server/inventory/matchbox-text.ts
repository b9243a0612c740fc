// Groups and profiles as files of a data directory, byte for byte as Matchbox writes them: Go's indented JSON.

import type { Kind, KindedObject } from '#model/kinds.ts'
import { TEMPLATE_FOLDERS } from '#model/template.ts'
import { compareBytes } from '#model/order.ts'
import { fieldsOf, withoutEmpties } from '#model/fields.ts'
import { goEscaped } from '#model/go-json.ts'
import { groupSchema, type Group } from '#model/group.ts'
import { profileSchema, type Profile } from '#model/profile.ts'

/** The path of an object below a data directory. Machines, which Matchbox does not know, have a folder beside the others. */
export function pathOf(kind: Kind, id: string): string {
  return kind === 'template' ? id : `${kind}s/${id}.json`
}

/** The folders of a data directory that hold objects. */
export const LAYOUT_FOLDERS: readonly string[] = ['groups', 'profiles', 'machines', ...TEMPLATE_FOLDERS]

/** The text of an object's file: fields in the order of their schema, those that are empty left out. */
export function fileTextOf(it: KindedObject): string {
  if (it.kind === 'template') return it.object.content
  if (it.kind === 'machine') return goJson(it.object)
  return goJson(withoutEmpties(FIELDS[it.kind], withSortedMaps(it.object)))
}

const FIELDS = { group: fieldsOf(groupSchema), profile: fieldsOf(profileSchema) } as const

function withSortedMaps(object: Group | Profile): Readonly<Record<string, unknown>> {
  if (!('profile' in object)) return object
  const { selector, metadata } = object
  return { ...object, selector: sorted(selector), metadata: sorted(metadata) }
}

/** Go writes maps by their sorted keys, whatever their order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const keys = Object.keys(value).toSorted(compareBytes)
  return new Map(keys.map(key => [key, sorted((value as Record<string, unknown>)[key])])) // its own key
}

/** JSON as `json.MarshalIndent(v, "", "\t")` writes it: no line end, and what a page could mistake for markup escaped. */
function goJson(value: unknown, indent = ''): string {
  const inner = `${indent}\t`
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]'
    return `[\n${value.map(item => inner + goJson(item, inner)).join(',\n')}\n${indent}]`
  }
  if (Object.is(value, -0)) return '-0'
  if (typeof value !== 'object' || value === null) return goEscaped(JSON.stringify(value))
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  if (entries.length === 0) return '{}'
  const lines = entries.map(
    ([key, item]) => `${inner}${goEscaped(JSON.stringify(key))}: ${goJson(item, inner)}`,
  )
  return `{\n${lines.join(',\n')}\n${indent}}`
}
