// Turns a site into the objects that the server keeps: the same groups that an operator may write by hand.

import type { Group } from '#model/group.ts'
import type { Machine } from '#model/machine.ts'
import type { SiteObjects } from '#model/site.ts'
import type { Site } from './site.ts'

/**
 * What the server must know of a site. Profiles stay empty: those of the roles are in the data directory
 * that every fresh server serves, so a site only adds its machines and one group for each.
 */
export function compileSite(site: Site): SiteObjects {
  return {
    network: site.network,
    machines: site.machines.map(machine => ({ ...machine, trust: site.trust })),
    profiles: [],
    groups: site.machines.map(machine => groupOf(site, machine)),
    chosen: site.chosen,
  }
}

/** One machine's group: picked by its MAC, or by its UUID if that is all we know; profile and role have one name. */
function groupOf(site: Site, machine: Machine): Group {
  const { name, role, address, uuid, macs, hardware = 'server' } = machine
  const { network, cluster, access } = site
  const { cidr, interface: outward } = site.openstack.external
  const [mac] = macs
  return {
    id: `${site.name}-${name}`,
    name: `${name}: ${role} of ${site.name}`,
    profile: role,
    selector: mac === undefined ? { uuid: uuid ?? '' } : { mac },
    metadata: {
      site: site.name,
      name,
      role,
      // Which initrd its profile boots.
      hardware,
      address,
      apiAddress: cluster.apiAddress,
      kubernetes: cluster.kubernetes,
      // What the node's firewall is about: ignition/firewall.nft.njk.
      subnet: network.subnet,
      dns: network.dns,
      ...(network.ntp === undefined ? {} : { ntp: network.ntp }),
      podCidr: cluster.podCidr,
      serviceCidr: cluster.serviceCidr,
      openToPods: cluster.openToPods,
      ...(access.sshKeys.length === 0 ? {} : { sshKeys: access.sshKeys }),
      // The hash of a password is in the bundle alone.
      ...(access.console.login === 'off' ? {} : { console: access.console.login }),
      ...(outward === undefined ? { floatingCidr: cidr } : {}),
    },
  }
}
