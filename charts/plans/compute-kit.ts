// The plan `compute-kit`: our own charts, small enough to be read. Each service is a file beside this one; here
// stands only which of them belong to the kit, and which a site may choose.

import type { OptionalService } from '#site/site.ts'
import type { SiteFacts } from './facts.ts'
import { cinder } from './cinder.ts'
import { glance } from './glance.ts'
import { heat } from './heat.ts'
import { horizon } from './horizon.ts'
import { infrastructure } from './infrastructure.ts'
import { keystone } from './keystone.ts'
import { libvirt } from './libvirt.ts'
import { magnum } from './magnum.ts'
import { neutron } from './neutron.ts'
import { nova } from './nova.ts'
import type { Planner, PlanPart } from './part.ts'
import { placement } from './placement.ts'

/** Always there. The order is only the reader's: what waits for what is said by each release's needs. */
const kit: readonly Planner[] = [infrastructure, keystone, glance, placement, neutron, libvirt, nova, horizon]

/** There when the site file lists it in `openstack.waves`. */
const waves: Readonly<Record<OptionalService, Planner>> = { cinder, heat, magnum }

/** The parts of the kit for a site. */
export function computeKit(facts: SiteFacts): PlanPart[] {
  const chosen = facts.site.openstack.waves.map(wave => waves[wave])
  return [...kit, ...chosen].map(part => part(facts))
}
