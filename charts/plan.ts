// The plan of the OpenStack stage as data: which releases, with which values and secrets, what each needs and what
// each promises. Nothing here touches anything; `pilotlight plan` prints it and charts/engine.ts makes it true.

import { imageReferences } from '#images/references.ts'
import { machinesOf } from '#site/site.ts'
import type { Site } from '#site/site.ts'
import { ChartPlanError } from './errors.ts'
import { checkGraph } from './graph.ts'

/** A map of Helm values, as YAML would hold it. */
export type Values = { readonly [key: string]: unknown }

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
  /** The folder below charts/helm. */
  readonly chart: string
  /** Over the chart's own values: facts of the site, then the site's `openstack.values`. */
  readonly values: Values
  /** Releases whose promises must be kept before this one's are awaited. */
  readonly needs: readonly string[]
  /**
   * Its pods wait for what they need by themselves, so it may be installed at once and only its promises wait.
   * False holds the installation itself back until the needs are met: for charts that are not ours.
   */
  readonly selfWaiting: boolean
  readonly promises: readonly Promised[]
  /** Seconds for the promises, from the moment when the needs are met. */
  readonly limitSeconds: number
}

/** What a release promises, of the kind that can be looked at. */
export type Promised =
  | { readonly kind: 'deployment'; readonly name: string }
  | { readonly kind: 'statefulset'; readonly name: string }
  /** The release's job of that component, whatever hash its name ends with. */
  | { readonly kind: 'job'; readonly name: string; readonly component: string }
  | { readonly kind: 'http'; readonly url: string; readonly status: number }
  /** A token is given over HTTP for the password under `password` in that secret. */
  | { readonly kind: 'token'; readonly authUrl: string; readonly user: string; readonly secret: string }

/** A Kubernetes Secret that is made before the releases; generated once a site, then kept. */
export type SecretPlan = { readonly name: string; readonly entries: Readonly<Record<string, SecretEntry>> }

/** How one key of a secret gets its text. */
export type SecretEntry =
  /** 32 URL-safe characters: such a password needs quoting neither in a URL nor in SQL. */
  | { readonly generate: 'password' }
  /** 32 random bytes in URL-safe base64, as the Fernet specification wants. */
  | { readonly generate: 'fernet-key' }
  | { readonly text: string }

/** The port of Keystone's public endpoint, on the controller's address. */
export const keystoneNodePort = 30500

/** The user that has all rights in the cloud, and the secret with its password. */
export const cloudAdmin = { user: 'admin', project: 'admin', region: 'RegionOne', secret: 'keystone-admin' }

/** Where clients outside the cluster reach Keystone, for example `http://10.20.0.11:30500/v3`. */
export function keystoneUrl(site: Site): string {
  return `http://${controllerAddress(site)}:${keystoneNodePort}/v3`
}

/**
 * The plan `compute-kit` for a site, as far as it goes today: database, queue and cache side by side, then identity.
 *
 * @throws {ChartPlanError} when the site's values name a release that the plan does not have
 */
export function planCharts(site: Site): ChartPlan {
  const { openstackInfra: infra, openstackControl: control } = imageReferences(site.cluster.kubernetes)
  const releases: ReleasePlan[] = [
    release('mariadb', {
      values: { images: { tags: { mariadb: infra } } },
      promises: [statefulset('mariadb')],
    }),
    release('rabbitmq', {
      values: { images: { tags: { rabbitmq: infra } } },
      promises: [statefulset('rabbitmq')],
    }),
    release('memcached', {
      values: { images: { tags: { memcached: infra } } },
      promises: [deployment('memcached')],
    }),
    release('keystone', {
      needs: ['mariadb', 'memcached'],
      values: {
        images: { tags: { keystone_api: control, keystone_bootstrap: control, db_init: control } },
        network: { api: { node_port: { enabled: true, port: keystoneNodePort } } },
        endpoints: {
          identity: {
            host_fqdn_override: { public: controllerAddress(site) },
            auth: {
              admin: {
                region_name: cloudAdmin.region,
                username: cloudAdmin.user,
                project_name: cloudAdmin.project,
              },
            },
          },
        },
      },
      promises: [
        { kind: 'job', name: 'keystone-bootstrap', component: 'bootstrap' },
        deployment('keystone-api'),
        { kind: 'http', url: keystoneUrl(site), status: 200 },
        { kind: 'token', authUrl: keystoneUrl(site), user: cloudAdmin.user, secret: cloudAdmin.secret },
      ],
    }),
  ]
  checkGraph(releases.map(({ name, needs }) => ({ id: name, needs })))
  return {
    name: site.openstack.plan,
    namespace: 'openstack',
    secrets: [
      { name: 'mariadb-root', entries: { password: { generate: 'password' } } },
      {
        name: 'rabbitmq-admin',
        entries: {
          username: { text: 'openstack' },
          password: { generate: 'password' },
          cookie: { generate: 'password' },
        },
      },
      { name: 'keystone-db', entries: { password: { generate: 'password' } } },
      { name: cloudAdmin.secret, entries: { password: { generate: 'password' } } },
      { name: 'keystone-fernet-keys', entries: keyRepository },
      { name: 'keystone-credential-keys', entries: keyRepository },
    ],
    releases: withSiteValues(releases, site.openstack.values),
  }
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

// Key 0 is staged to become primary at the next rotation, key 1 is primary (Keystone's own convention).
const keyRepository = { 0: { generate: 'fernet-key' }, 1: { generate: 'fernet-key' } } as const

const deployment = (name: string): Promised => ({ kind: 'deployment', name })
const statefulset = (name: string): Promised => ({ kind: 'statefulset', name })

function release(
  name: string,
  rest: { needs?: readonly string[]; values: Values; promises: readonly Promised[] },
): ReleasePlan {
  return { name, chart: name, needs: [], selfWaiting: true, limitSeconds: 300, ...rest }
}

function withSiteValues(releases: readonly ReleasePlan[], values: Values): ReleasePlan[] {
  const names = releases.map(({ name }) => name)
  for (const [name, own] of Object.entries(values)) {
    if (!names.includes(name))
      throw new ChartPlanError(
        `openstack.values has values for "${name}", which is no release of this plan. ` +
          `Its releases: ${names.join(', ')}.`,
      )
    if (!isMap(own))
      throw new ChartPlanError(`openstack.values.${name} is not a map. Write the release's values below it.`)
  }
  return releases.map(it => {
    const own = values[it.name]
    return isMap(own) ? { ...it, values: mergeValues(it.values, own) } : it
  })
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function controllerAddress(site: Site): string {
  const [controller] = machinesOf(site, 'controller')
  if (controller === undefined)
    throw new ChartPlanError(
      `Site ${site.name} has no controller, and OpenStack's services run on one. Add one.`,
    )
  return controller.address
}
