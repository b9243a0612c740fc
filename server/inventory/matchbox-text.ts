// Groups and profiles as files of a data directory, byte for byte as Matchbox writes them: Go's indented JSON.

import type { Kind, KindedObject } from './changes.ts'
import { TEMPLATE_FOLDERS } from './layout.ts'
import { compareBytes } from '../match/order.ts'
import type { Group, Profile } from './objects.ts'

/** Where an object lies below a data directory. Machines, which Matchbox does not know, have a folder beside the others. */
export function pathOf(kind: Kind, id: string): string {
  return kind === 'template' ? id : `${kind}s/${id}.json`
}

/** The folders of a data directory that hold objects. */
export const LAYOUT_FOLDERS: readonly string[] = ['groups', 'profiles', 'machines', ...TEMPLATE_FOLDERS]

/** The text of an object's file. */
export function fileTextOf(it: KindedObject): string {
  if (it.kind === 'template') return it.object.content
  return goJson(
    it.kind === 'group'
      ? groupFields(it.object)
      : it.kind === 'profile'
        ? profileFields(it.object)
        : it.object,
  )
}

/** In the order of Matchbox's own fields; ours go last. What is empty is left out. */
function groupFields({ id, name, profile, selector, metadata, priority }: Group): object {
  return filled({
    id,
    name,
    profile,
    selector: selector && sorted(selector),
    metadata: sorted(metadata),
    priority,
  })
}

function profileFields({ id, name, ignition_id, cloud_id, boot, generic_id }: Profile): object {
  const { kernel, initrd, args } = boot ?? {}
  // Matchbox writes an empty boot as it is.
  return {
    ...filled({ id, name, ignition_id, cloud_id }),
    ...(boot && { boot: filled({ kernel, initrd, args }) }),
    ...filled({ generic_id }),
  }
}

function filled(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => isFilled(value)))
}

function isFilled(value: unknown): boolean {
  return value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0)
}

/** Go writes maps by their sorted keys, whatever the order they came in. */
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
  if (typeof value !== 'object' || value === null) return escaped(JSON.stringify(value))
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  if (entries.length === 0) return '{}'
  const lines = entries.map(
    ([key, item]) => `${inner}${escaped(JSON.stringify(key))}: ${goJson(item, inner)}`,
  )
  return `{\n${lines.join(',\n')}\n${indent}}`
}

function escaped(json: string): string {
  return json.replaceAll(
    /[<>&\u2028\u2029]/g,
    letter => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
