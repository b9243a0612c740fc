// Joins two configs as Ignition does with a parent and a child: lists by the key of their items, the child's word last.
// Butane's sugar becomes the parent, so that a user can still say otherwise.

import { isFields, type Fields, type Value } from '../ignition/read.ts'
import type { Integer } from '../ignition/types.ts'
import type { Path } from '../ignition/tree.ts'
import type { IgnitionConfig } from '../ignition/types.ts'
import type { Origins } from './origins.ts'

/** The config that says what both say; where they differ, `child` wins. `origins` learns where each piece comes from. */
export function mergeConfigs(
  parent: IgnitionConfig,
  child: IgnitionConfig,
  origins: Origins,
): IgnitionConfig {
  return mergeFields(parent, child, origins)
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

function mergeFields(parent: Fields, child: Fields, origins: Origins): Fields {
  const result: Record<string, Value> = { ...parent }
  const members = new Map<string, Path>()
  for (const name of Object.keys(parent)) note(name, parent)
  for (const [name, value] of Object.entries(child)) {
    const before = parent[name]
    if (isList(before) && isList(value)) result[name] = mergeLists(name, before, value, origins)
    else result[name] = isFields(before) && isFields(value) ? mergeFields(before, value, origins) : value
    note(name, child)
  }
  origins.set(result, origins.of(child) ?? origins.of(parent) ?? [], members)
  return result

  function note(name: string, from: Fields): void {
    const path = origins.of(from, name)
    if (path !== undefined) members.set(name, path)
  }
}

function mergeLists(
  name: string,
  parents: readonly Value[],
  children: readonly Value[],
  origins: Origins,
): readonly Value[] {
  const from = (list: readonly Value[], index: number) => ({
    item: list[index]!,
    path: origins.of(list, index),
  })
  const placed = (list: readonly Value[]) => list.map((_, index) => from(list, index))
  let merged: readonly { readonly item: Value; readonly path: Path | undefined }[]
  if (JOINED.has(name)) merged = [...placed(parents), ...placed(children)]
  else {
    const byKey = new Map(children.map((item, index) => [keyOf(name, item), index]))
    const known = new Set(parents.map(item => keyOf(name, item)))
    merged = [
      ...placed(parents).map(own => {
        const index = byKey.get(keyOf(name, own.item))
        if (index === undefined) return own
        const { item, path } = from(children, index)
        return {
          item: isFields(own.item) && isFields(item) ? mergeFields(own.item, item, origins) : item,
          path,
        }
      }),
      ...placed(children).filter(({ item }) => !known.has(keyOf(name, item))),
    ]
  }
  const list = merged.map(({ item }) => item)
  const members = merged.flatMap(({ path }, index) => (path === undefined ? [] : [[index, path] as const]))
  origins.set(list, origins.of(children) ?? origins.of(parents) ?? [], new Map(members))
  return list
}

function keyOf(list: string, item: Value): string {
  if (!isFields(item)) return JSON.stringify(item)
  if (list !== 'partitions') return JSON.stringify(item[KEYS.get(list) ?? 'name'] ?? '')
  return JSON.stringify(
    item['number'] ? ['number', `${item['number'] as Integer}`] : ['label', item['label'] ?? ''],
  )
}

function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value)
}
