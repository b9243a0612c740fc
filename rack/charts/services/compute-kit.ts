// The plan `compute-kit`: our own charts, small enough to be read. Each service has a folder beside this file; listed
// here is only which of them belong to the kit, and which a site may choose.

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
import type { Kit } from '../plan/parts.ts'
import { placement } from './placement/plan.ts'
import { rabbitmq } from './rabbitmq/plan.ts'

/** The services of our own charts. */
export const computeKit: Kit = {
  always: [mariadb, rabbitmq, memcached, keystone, glance, placement, neutron, libvirt, nova, horizon],
  optional: { cinder, heat, magnum },
  forClients: ['mariadb', 'memcached'],
}
