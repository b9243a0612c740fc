// Helm values in layers: maps merged key by key, everything else replaced by the layer above.

import { isRecord } from '#model/record.ts'
import { ChartPlanError } from '../errors.ts'

/** A map of Helm values, as YAML would hold it. */
export type Values = { readonly [key: string]: unknown }

/** Values from one place, over the layers below. */
export type ValueLayer = {
  /** Where they come from, as people read it: `layout all-in-one`, `site facts`, `site file`. */
  readonly origin: string
  readonly values: Values
}

/** Lays `over` upon `under`: maps are merged key by key, everything else, lists too, is replaced. */
export function mergeValues(under: Values, over: Values): Values {
  const merged = new Map(Object.entries(under)) // a key may be any text, `__proto__` too
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key)
    merged.set(key, isRecord(below) && isRecord(value) ? mergeValues(below, value) : value)
  }
  return Object.fromEntries(merged)
}

/** All layers merged, the lowest first. */
export function mergeLayers(layers: readonly ValueLayer[]): Values {
  return layers.reduce<Values>((under, { values }) => mergeValues(under, values), {})
}

/** The value at a path of keys; in a list the key is an index. Undefined where there is none, null where that is written. */
export function valueAt(values: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return (value as unknown[])[Number(key)]
    return isRecord(value) ? value[key] : undefined
  }, values)
}

/**
 * The site file's values by release, each a map.
 *
 * @throws {ChartPlanError} when one is for no release of the plan, or is not a map
 */
export function siteValuesOf(values: Values, releases: readonly string[]): ReadonlyMap<string, Values> {
  return new Map(
    Object.entries(values).map(([name, own]) => {
      if (!releases.includes(name))
        throw new ChartPlanError(
          `"${name}" in openstack.values is not a release of this plan. Its releases: ${releases.join(', ')}.`,
          { place: ['openstack', 'values', name] },
        )
      if (!isRecord(own))
        throw new ChartPlanError(
          `openstack.values.${name} is not a map. Write the release's values below it.`,
          { place: ['openstack', 'values', name], mistake: 'value' },
        )
      return [name, own]
    }),
  )
}

/** One merged value with the layer that it comes from. */
export type ExplainedValue = {
  /** Keys from the top. */
  readonly path: readonly string[]
  readonly value: unknown
  readonly origin: string
  /** The origin of the value that it replaced; a list replaces a list as a whole, which may surprise. */
  readonly replaced?: { readonly origin: string; readonly value: unknown }
}

/** Every value that is not a map, in the order of the keys, with its origin. */
export function explainLayers(layers: readonly ValueLayer[]): ExplainedValue[] {
  const found = new Map<string, ExplainedValue>()
  for (const { origin, values } of layers)
    for (const { path, value } of leavesOf(values, [])) {
      const key = path.join('\0')
      const below = found.get(key)
      for (const other of found.keys())
        if (other.startsWith(`${key}\0`) || key.startsWith(`${other}\0`)) found.delete(other) // a map gave way
      const replaced = below && { origin: below.origin, value: below.value }
      found.set(key, { path, value, origin, ...(replaced ? { replaced } : {}) })
    }
  return [...found.values()].toSorted((a, b) => (showPath(a.path) < showPath(b.path) ? -1 : 1))
}

/** A path as a person writes it: `pod.replicas.api`, `conf["neutron.conf"].debug`. */
export function showPath(path: readonly string[]): string {
  return path
    .map((key, index) => (/^[\w-]+$/.test(key) ? `${index === 0 ? '' : '.'}${key}` : `["${key}"]`))
    .join('')
}

/** The path of the outermost list that a value is in, if it is in one: values replace it as a whole. */
export function listAround(path: readonly string[]): readonly string[] | undefined {
  const index = path.findIndex(key => /^\d+$/.test(key))
  return index > 0 ? path.slice(0, index) : undefined // the values of a release are a map
}

/**
 * The key by which a site gives a release another value, for a person: `openstack.values.nova.network.ssh.private_key`. What is
 * inside of a list is given with the whole list.
 */
export function siteKeyOf(release: string, path: readonly string[]): string {
  return showPath(['openstack', 'values', release, ...(listAround(path) ?? path)])
}

function leavesOf(values: Values, above: readonly string[]): { path: readonly string[]; value: unknown }[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const path = [...above, key]
    const isLeaf = !isRecord(value) || Object.keys(value).length === 0
    return isLeaf ? [{ path, value }] : leavesOf(value, path)
  })
}

/** The map at a path of keys, or an empty one. */
export function mapAt(value: Values, ...path: readonly string[]): Values {
  return path.reduce<Values>((map, key) => (isRecord(map[key]) ? map[key] : {}), value)
}
