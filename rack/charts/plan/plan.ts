// The plan of the OpenStack stage as data: which releases, with which values and secrets, what each needs and what
// each promises. rack/charts/services/plan-charts.ts draws it up, `pilotlight plan` prints it, rack/charts/verbs/apply.ts makes it true.

import { ChartPlanError } from '../errors.ts'
import { mergeLayers, type ValueLayer, type Values } from '../values/values.ts'

/** The whole stage. */
export type ChartPlan = {
  readonly name: string
  readonly namespace: string
  readonly secrets: readonly SecretPlan[]
  readonly releases: readonly ReleasePlan[]
}

/** One Helm release. */
export type ReleasePlan = {
  readonly name: string
  /** The chart's name: the folder below rack/charts/services, or what the site's source calls it. */
  readonly chart: string
  /** Over the chart's own values, the lowest first: layout, site facts, the site's `openstack.values`. */
  readonly layers: readonly ValueLayer[]
  /** Releases whose promises must be kept before this one's are awaited. */
  readonly needs: readonly string[]
  /** Releases of one group need each other: they are installed together, and their promises awaited together. */
  readonly group?: string
  /**
   * Releases whose promises must be kept before this one is installed. None where its pods wait for what they need by
   * themselves, and have something to do until then; the needs themselves for charts that are not ours.
   */
  readonly after: readonly string[]
  readonly promises: readonly Promised[]
  /** Seconds for the promises, from the time when the needs are met. */
  readonly limitSeconds: number
}

/** What a release promises, of the kind that can be checked. */
export type Promised =
  | { readonly kind: 'deployment'; readonly name: string }
  | { readonly kind: 'statefulset'; readonly name: string }
  /** A pod ready on every node that it is for, and on one at least. */
  | { readonly kind: 'daemonset'; readonly name: string }
  /** The release's job of that component, whatever hash its name ends with. */
  | { readonly kind: 'job'; readonly name: string; readonly component: string }
  | { readonly kind: 'http'; readonly url: string; readonly status: number }
  /** Keystone gives the administrator a token. */
  | { readonly kind: 'token' }
  /** Neutron's API says that agents of these binaries (`neutron-dhcp-agent`) are alive on all these hosts. */
  | { readonly kind: 'agents'; readonly binaries: readonly string[]; readonly hosts: readonly string[] }
  /** Nova's API lists these hosts as hypervisors that are up: it does so once they are mapped to a cell. */
  | { readonly kind: 'hypervisors'; readonly hosts: readonly string[] }

/** A Kubernetes Secret that is made before the releases; generated once a site, then kept. */
export type SecretPlan = {
  readonly name: string
  readonly entries: Readonly<Record<string, SecretEntry>>
  /**
   * How it is rotated, where that is not by new texts: a repository of Keystone's keys, or not at all, and why. Pods
   * see a new repository by themselves, so nothing is rolled for it.
   */
  readonly rotation?: 'key-repository' | { readonly never: string }
  /** Given to a chart as a value, which makes its own Secret of it: no Secret of this name is made. */
  readonly isOnlyInValues?: true
}

/** The secret with the password of the cloud's administrator. */
export const ADMIN_SECRET = 'keystone-admin'

/** How one key of a secret gets its text. */
export type SecretEntry =
  /** 32 URL-safe characters, the first not a dash: such a password needs quoting neither in a URL, nor in SQL, nor as an argument. */
  | { readonly generate: 'password' }
  /** 32 random bytes in URL-safe base64, as the Fernet specification wants. */
  | { readonly generate: 'fernet-key' }
  | { readonly text: string }

/** The values that a release gives to its chart. */
export function valuesOf(release: ReleasePlan): Values {
  return mergeLayers(release.layers)
}

/** The layers of a release as `planCharts` makes them: those of the plan, and over them that of the site file, the last one. */
export function layersOf({ layers }: Pick<ReleasePlan, 'layers'>): {
  readonly plan: readonly ValueLayer[]
  readonly site: ValueLayer
} {
  return { plan: layers.slice(0, -1), site: layers.at(-1) ?? { origin: 'site file', values: {} } }
}

/**
 * The plan with only these releases. What they need beside each other is left out: it is taken to be there.
 *
 * @throws {ChartPlanError} when one of them is not in the plan
 */
export function chosenOf(plan: ChartPlan, names: readonly string[]): ChartPlan {
  const all = plan.releases.map(({ name }) => name)
  const unknown = names.find(name => !all.includes(name))
  if (unknown !== undefined)
    throw new ChartPlanError(`The plan has no release "${unknown}". It has: ${all.join(' ')}.`)
  const releases = plan.releases.filter(({ name }) => names.includes(name))
  return {
    ...plan,
    releases: releases.map(it => ({
      ...it,
      needs: it.needs.filter(need => names.includes(need)),
      after: it.after.filter(need => names.includes(need)),
    })),
  }
}

/** The releases that `release` is awaited together with, itself among them. */
export function groupOf(release: ReleasePlan, releases: readonly ReleasePlan[]): ReleasePlan[] {
  if (release.group === undefined) return [release]
  return releases.filter(({ group }) => group === release.group)
}
