// Which machines do what for OpenStack, as it follows from their roles: the cluster labels its nodes by it, the charts
// count on it, and the lab finds the way into the external network by it.

import type { Machine } from '#model/machine.ts'
import { machinesOf, type Site } from './site.ts'

/** What a machine may do for OpenStack: run its services, run guests, connect guests to the world. */
export type Duty = 'control-plane' | 'compute' | 'network'

/**
 * The machines with a duty, in the order of the file. A site without compute machines is all-in-one: its controllers
 * do everything. The external network is on one machine, the first that runs guests, unless the site names an
 * interface through which every machine that runs guests reaches it.
 */
export function machinesWith(site: Site, duty: Duty): Machine[] {
  const controllers = machinesOf(site, 'controller')
  if (duty === 'control-plane') return controllers
  const computes = machinesOf(site, 'compute')
  const hosts = computes.length > 0 ? computes : controllers
  return duty === 'compute' || site.openstack.external.interface !== undefined ? hosts : hosts.slice(0, 1)
}

/** What a machine does, in the order of `Duty`. */
export function dutiesOf(site: Site, machine: Machine): Duty[] {
  const all: readonly Duty[] = ['control-plane', 'compute', 'network']
  return all.filter(duty => machinesWith(site, duty).some(({ name }) => name === machine.name))
}
