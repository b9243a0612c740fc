// What the plan of a service is made of: its releases, their promises and secrets, and what the API services of OpenStack
// have in common.

import { cloudAdmin, publicUrl, type PublicService } from '../../openstack/endpoints.ts'
import type { OptionalService } from '../../site/site.ts'
import type { Layout, SiteFacts } from './facts.ts'
import type { Promised, ReleasePlan, SecretPlan } from './plan.ts'
import { mergeValues, type Values } from '../values/values.ts'

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
  /** Values that follow from the site file: images, addresses, replicas. */
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
      { origin: 'site facts', values },
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

/** What is said of a service with an API of OpenStack: the rest follows from its name and the site. */
export type ApiService = Pick<ReleaseWords, 'needs' | 'group' | 'layouts'> & {
  /** Of all its containers: the components, by name, and its job. */
  readonly image: string
  readonly components: readonly string[]
  /** Its keys below the charts' `endpoints`: each is reached from outside at the public address. */
  readonly endpoints: readonly string[]
  /** Values beside those of images and endpoints. */
  readonly values?: Values
  /** Secrets beside its passwords at the database and at Keystone. */
  readonly secrets?: readonly SecretPlan[]
  /** What its workloads on controllers promise, after the job that fills its database. */
  readonly servers: readonly Promised[]
  /** A path of its API, and the status that it answers once the service works: 200 unless given. */
  readonly answers: { readonly path: string; readonly status?: number }
  /** What is promised beyond its API: agents on machines. */
  readonly agents?: readonly Promised[]
}

/** The part of a service with an API, a database and an account at Keystone. */
export function apiService(service: PublicService, facts: SiteFacts, words: ApiService): PlanPart {
  const { image, components, endpoints, values = {}, secrets = [], servers, answers, agents = [] } = words
  const { needs, group, layouts } = words
  const tags = [...components, 'db_sync'].map(name => `${service}_${name}`)
  const outside = { host_fqdn_override: { public: facts.address } }
  const common = {
    images: { tags: Object.fromEntries([...tags, 'db_init', 'ks_user'].map(tag => [tag, image])) },
    endpoints: {
      identity: { auth: { admin: adminAccount } },
      ...Object.fromEntries(endpoints.map(name => [name, outside])),
    },
  }
  return {
    secrets: [passwordSecret(`${service}-db`), passwordSecret(`${service}-keystone`), ...secrets],
    releases: [
      release(service, facts, {
        values: mergeValues(common, values),
        promises: [
          // Fills the service's database, and makes its account and its entries in the catalog.
          job(`${service}-db-sync`, 'db-sync'),
          ...servers,
          {
            kind: 'http',
            url: `${publicUrl(facts.site, service)}${answers.path}`,
            status: answers.status ?? 200,
          },
          ...agents,
        ],
        ...(needs && { needs }),
        ...(group !== undefined && { group }),
        ...(layouts && { layouts }),
      }),
    ],
  }
}
