// Joins two configs as Ignition does with a parent and a child: lists by the key of their items, the child's word last.
// Butane's sugar becomes the parent, so that a user can still say otherwise.

import { isFields, type Fields, type Value } from '../ignition/read.ts'
import type { IgnitionConfig } from '../ignition/types.ts'

/** The config that says what both say; where they differ, `child` wins. */
export function mergeConfigs(parent: IgnitionConfig, child: IgnitionConfig): IgnitionConfig {
  return mergeFields(parent, child)
}

/** Which field tells the items of a list apart, where it is not the name. */
const KEYS: ReadonlyMap<string, string> = new Map([
  ['files', 'path'],
  ['disks', 'device'],
  ['filesystems', 'device'],
  ['tang', 'url'],
])

/** Lists that are put one after the other. */
const JOINED: ReadonlySet<string> = new Set(['append', 'mountOptions', 'options'])

function mergeFields(parent: Fields, child: Fields): Fields {
  const result: Record<string, Value> = { ...parent }
  for (const [name, value] of Object.entries(child)) {
    const before = parent[name]
    if (isList(before) && isList(value)) result[name] = mergeLists(name, before, value)
    else result[name] = isFields(before) && isFields(value) ? mergeFields(before, value) : value
  }
  return result
}

function mergeLists(name: string, parents: readonly Value[], children: readonly Value[]): readonly Value[] {
  if (JOINED.has(name)) return [...parents, ...children]
  const byKey = new Map(children.map(item => [keyOf(name, item), item]))
  const known = new Set(parents.map(item => keyOf(name, item)))
  const merged = parents.map(item => {
    const child = byKey.get(keyOf(name, item))
    return isFields(item) && isFields(child) ? mergeFields(item, child) : (child ?? item)
  })
  return [...merged, ...children.filter(item => !known.has(keyOf(name, item)))]
}

function keyOf(list: string, item: Value): string {
  if (!isFields(item)) return JSON.stringify(item)
  if (list !== 'partitions') return JSON.stringify(item[KEYS.get(list) ?? 'name'] ?? '')
  return JSON.stringify(item['number'] ? ['number', item['number']] : ['label', item['label'] ?? ''])
}

function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value)
}
