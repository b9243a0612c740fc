// Helm values in layers: maps merged key by key, everything else replaced by whoever lies above.

import { ChartPlanError } from './errors.ts'

/** A map of Helm values, as YAML would hold it. */
export type Values = { readonly [key: string]: unknown }

/** Values from one place, over what lies below. */
export type ValueLayer = {
  /** Whose they are, in words for a person: `layout all-in-one`, `inventory`, `site file`. */
  readonly origin: string
  readonly values: Values
}

/** Lays `over` upon `under`: maps are merged key by key, everything else, lists too, is replaced. */
export function mergeValues(under: Values, over: Values): Values {
  const merged: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isMap(below) && isMap(value) ? mergeValues(below, value) : value
  }
  return merged
}

/** All layers merged, the lowest first. */
export function mergeLayers(layers: readonly ValueLayer[]): Values {
  return layers.reduce<Values>((under, { values }) => mergeValues(under, values), {})
}

/**
 * The site file's values by release, each a map.
 *
 * @throws {ChartPlanError} when one is for no release of the plan, or is no map
 */
export function siteValuesOf(values: Values, releases: readonly string[]): ReadonlyMap<string, Values> {
  return new Map(
    Object.entries(values).map(([name, own]) => {
      if (!releases.includes(name))
        throw new ChartPlanError(
          `openstack.values has values for "${name}", which is no release of this plan. ` +
            `Its releases: ${releases.join(', ')}.`,
        )
      if (!isMap(own))
        throw new ChartPlanError(
          `openstack.values.${name} is not a map. Write the release's values below it.`,
        )
      return [name, own]
    }),
  )
}

/** Whether a value is a map, neither list nor scalar. */
export function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
