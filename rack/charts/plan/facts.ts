// What charts need to know of a site: which machines carry what, and which images they run.

import { imageReferences, type ImageReferences } from '#images/references.ts'
import { machinesWith, type Duty } from '../../site/duties.ts'
import type { Site } from '../../site/site.ts'

/** How the services are spread: on one machine with everything, or on controllers and compute machines. */
export type Layout = 'all-in-one' | 'standard'

/** Facts of one site. Hosts are the names of machines, which are those of their nodes and OpenStack's `host`, too. */
export type SiteFacts = {
  readonly site: Site
  readonly layout: Layout
  readonly images: ImageReferences
  /** The address of the public endpoints. */
  readonly address: string
  /** Carry the label openstack-control-plane. */
  readonly controllers: readonly string[]
  /** Carry the label openstack-compute-node. */
  readonly computes: readonly string[]
  /** Carry the label openstack-network-node: DHCP, routers, metadata. */
  readonly networkNodes: readonly string[]
  /** The MTU of the machines' network, in bytes. */
  readonly mtu: number
}

/** Derives the facts from the site. */
export function factsOf(site: Site): SiteFacts {
  const namesOf = (duty: Duty) => machinesWith(site, duty).map(({ name }) => name)
  const controllers = namesOf('control-plane')
  const hosts = machinesWith(site, 'compute')
  return {
    site,
    layout: hosts.some(({ role }) => role === 'compute') ? 'standard' : 'all-in-one',
    images: imageReferences(site.cluster.kubernetes),
    address: site.cluster.apiAddress,
    controllers,
    computes: hosts.map(({ name }) => name),
    networkNodes: namesOf('network'),
    mtu: 1500,
  }
}
