// What the API services of OpenStack have in common as releases of a plan.

import { cloudAdmin } from '../endpoints.ts'
import type { SiteFacts } from './facts.ts'
import type { Promised, SecretPlan } from '../plan.ts'
import type { Values } from '../values/values.ts'
import { job, passwordSecret } from './part.ts'

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
  const admin = {
    region_name: cloudAdmin.region,
    username: cloudAdmin.user,
    project_name: cloudAdmin.project,
  }
  return {
    images: { tags: Object.fromEntries([...tags, 'db_init', 'ks_user'].map(tag => [tag, image])) },
    endpoints: {
      identity: { auth: { admin } },
      ...Object.fromEntries(endpoints.map(name => [name, outside])),
    },
  }
}
