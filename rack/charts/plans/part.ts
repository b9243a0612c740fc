// The words in which a plan is written: a part is what one service brings along, its releases and their secrets.

import type { Layout, SiteFacts } from './facts.ts'
import type { Promised, ReleasePlan, SecretPlan } from '../plan.ts'
import type { Values } from '../values/values.ts'

/** What one service brings to a plan. */
export type PlanPart = { readonly releases: readonly ReleasePlan[]; readonly secrets: readonly SecretPlan[] }

/** A service as a plan lists it: its part, for the facts of a site. */
export type Planner = (facts: SiteFacts) => PlanPart

/** What a release says of itself beyond its name. */
export type ReleaseWords = {
  /** The folder below rack/charts/helm, where it is not the release's name. */
  readonly chart?: string
  readonly needs?: readonly string[]
  /** Releases that this one leaves the processors to, until they are up. */
  readonly after?: readonly string[]
  /** Releases of one group need each other: they are installed together, and awaited together. */
  readonly group?: string
  /** Values for a layout, under the facts. */
  readonly layouts?: Readonly<Partial<Record<Layout, Values>>>
  /** Values that follow from the inventory: images, addresses, replicas. */
  readonly values?: Values
  readonly promises: readonly Promised[]
  readonly limitSeconds?: number
}

/** A release of our own charts, whose pods wait for what they need by themselves. */
export function release(name: string, { layout }: SiteFacts, words: ReleaseWords): ReleasePlan {
  const {
    chart = name,
    needs = [],
    after = [],
    group,
    layouts = {},
    values = {},
    promises,
    limitSeconds = 300,
  } = words
  return {
    name,
    chart,
    layers: [
      { origin: `layout ${layout}`, values: layouts[layout] ?? {} },
      { origin: 'inventory', values },
    ],
    needs,
    after,
    promises,
    limitSeconds,
    ...(group === undefined ? {} : { group }),
  }
}

export const deployment = (name: string): Promised => ({ kind: 'deployment', name })
export const statefulset = (name: string): Promised => ({ kind: 'statefulset', name })
export const daemonset = (name: string): Promised => ({ kind: 'daemonset', name })
/** The release's job of that component, whatever hash its name ends with. */
export const job = (name: string, component: string): Promised => ({ kind: 'job', name, component })

/** A secret with one generated password, under the key `password`. */
export function passwordSecret(name: string): SecretPlan {
  return { name, entries: { password: { generate: 'password' } } }
}
