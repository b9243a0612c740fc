// Where the cloud is reached from outside and who its administrator is: what gates, clients and charts agree on.

import type { Site } from '../site/site.ts'

/** The user that has all rights in the cloud, and the project and region in which it works. */
export const cloudAdmin = { user: 'admin', project: 'admin', region: 'RegionOne' } as const

/** The ports of the public endpoints, on the address of the control plane. */
export const nodePorts = {
  keystone: 30500,
  glance: 30292,
  placement: 30878,
  nova: 30774,
  novnc: 30680,
  neutron: 30696,
  horizon: 30080,
  heat: 30804,
  heatCfn: 30800,
  cinder: 30776,
  magnum: 30951,
} as const

/** Something of the cloud that people and programs outside of it talk to. */
export type PublicService = keyof typeof nodePorts

/** Where a public endpoint begins, for example `http://10.20.0.11:30292`. */
export function publicUrl(site: Site, service: PublicService): string {
  return `http://${site.cluster.apiAddress}:${nodePorts[service]}`
}

/** Where clients outside the cluster reach Keystone, for example `http://10.20.0.11:30500/v3`. */
export function keystoneUrl(site: Site): string {
  return `${publicUrl(site, 'keystone')}/v3`
}
