// What the plan of a service is made of: its releases, their promises and secrets, and what the API services of OpenStack
// have in common.

import { cloudAdmin } from '../../openstack/endpoints.ts'
import type { OptionalService } from '../../site/site.ts'
import type { Layout, SiteFacts } from './facts.ts'
import type { Promised, ReleasePlan, SecretPlan } from './plan.ts'
import type { Values } from '../values/values.ts'

/** What one service brings to a plan. */
export type PlanPart = { readonly releases: readonly ReleasePlan[]; readonly secrets: readonly SecretPlan[] }

/** A service as a plan lists it: its part, for the facts of a site. */
export type Planner = (facts: SiteFacts) => PlanPart

/** The services that a plan can consist of. */
export type Kit = {
  /** In every cloud. The order is only the reader's: each release names what it needs. */
  readonly always: readonly Planner[]
  /** In a cloud whose site file lists it in `openstack.waves`. */
  readonly optional: Readonly<Record<OptionalService, Planner>>
  /** Releases that only those that need them may reach over the network, because what they hold asks for a weak proof, or for none. */
  readonly forClients?: readonly string[]
}

/** What a release says of itself beyond its name. */
export type ReleaseWords = {
  /** The folder below rack/charts/services, where it is not the release's name. */
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

/** The cloud's administrator, as the values of charts name it; the password is not among them. */
export const adminAccount = {
  region_name: cloudAdmin.region,
  username: cloudAdmin.user,
  project_name: cloudAdmin.project,
}

/** Passwords of a service's own: for its databases, and for its account at Keystone. */
export function serviceSecrets(service: string): SecretPlan[] {
  return [passwordSecret(`${service}-db`), passwordSecret(`${service}-keystone`)]
}

/** The job that fills the service's database, and makes its account and its entries in the catalog. */
export const dbSync = (service: string): Promised => job(`${service}-db-sync`, 'db-sync')

/**
 * The values of a service that follow from the site: `image` for all of its containers (the components by name, and
 * those of its job), and the public address of its endpoints (keys of the charts' `endpoints`).
 */
export function serviceValues(
  service: string,
  facts: SiteFacts,
  words: { image: string; components: readonly string[]; endpoints: readonly string[] },
): Values {
  const { image, components, endpoints } = words
  const tags = [...components, 'db_sync'].map(name => `${service}_${name}`)
  const outside = { host_fqdn_override: { public: facts.address } }
  return {
    images: { tags: Object.fromEntries([...tags, 'db_init', 'ks_user'].map(tag => [tag, image])) },
    endpoints: {
      identity: { auth: { admin: adminAccount } },
      ...Object.fromEntries(endpoints.map(name => [name, outside])),
    },
  }
}
