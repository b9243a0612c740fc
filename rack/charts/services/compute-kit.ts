// The plan `compute-kit`: our own charts, small enough to be read. Each service has a folder beside this file; listed
// here is only which of them belong to the kit, and which a site may choose.

import type { OptionalService } from '../../site/site.ts'
import type { ReleasePlan } from '../plan/plan.ts'
import type { SiteFacts } from '../plan/facts.ts'
import { cinder } from './cinder/plan.ts'
import { glance } from './glance/plan.ts'
import { heat } from './heat/plan.ts'
import { horizon } from './horizon/plan.ts'
import { keystone } from './keystone/plan.ts'
import { libvirt } from './libvirt/plan.ts'
import { magnum } from './magnum/plan.ts'
import { mariadb } from './mariadb/plan.ts'
import { memcached } from './memcached/plan.ts'
import { neutron } from './neutron/plan.ts'
import { nova } from './nova/plan.ts'
import type { Planner, PlanPart } from '../plan/parts.ts'
import { placement } from './placement/plan.ts'
import { rabbitmq } from './rabbitmq/plan.ts'

/** Always there. The order is only the reader's: what waits for what is said by each release's needs. */
const kit: readonly Planner[] = [
  mariadb,
  rabbitmq,
  memcached,
  keystone,
  glance,
  placement,
  neutron,
  libvirt,
  nova,
  horizon,
]

/** There when the site file lists it in `openstack.waves`. */
const waves: Readonly<Record<OptionalService, Planner>> = { cinder, heat, magnum }

/** Releases that only those that need them may reach over the network: what they hold asks for a weak proof, or for none. */
const forClients: readonly string[] = ['mariadb', 'memcached']

/** The parts of the kit for a site. */
export function computeKit(facts: SiteFacts): PlanPart[] {
  const chosen = facts.site.openstack.waves.map(wave => waves[wave])
  const parts = [...kit, ...chosen].map(part => part(facts))
  const all = parts.flatMap(({ releases }) => releases)
  return parts.map(part => ({ ...part, releases: part.releases.map(release => withClients(release, all)) }))
}

/** Names the releases that need this one, by what they need and what that needs, in the values of its network policy. */
function withClients(release: ReleasePlan, all: readonly ReleasePlan[]): ReleasePlan {
  if (!forClients.includes(release.name)) return release
  const clients = all.filter(({ name }) => needsOf(name, all).has(release.name)).map(({ name }) => name)
  const layer = { origin: 'network policy', values: { network_policy: { clients: clients.toSorted() } } }
  return { ...release, layers: [...release.layers, layer] }
}

function needsOf(name: string, all: readonly ReleasePlan[]): Set<string> {
  const found = new Set<string>()
  const left = [name]
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    for (const need of all.find(release => release.name === one)?.needs ?? []) {
      if (found.has(need)) continue
      found.add(need)
      left.push(need)
    }
  }
  return found
}
