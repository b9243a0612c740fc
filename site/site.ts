// The desired state of a rack, as site/read.ts gives it: checked, with every default filled in.

import type { Machine, ProvisioningNetwork } from '#server/inventory/objects.ts'

/** A whole site file. */
export type Site = {
  readonly name: string
  readonly network: ProvisioningNetwork
  readonly machines: readonly Machine[]
  readonly cluster: ClusterSettings
  readonly openstack: OpenstackSettings
}

/** The Kubernetes that the controllers become. */
export type ClusterSettings = {
  /** For example `1.36.3`. */
  readonly kubernetes: string
  readonly podCidr: string
  readonly serviceCidr: string
  /** Where the API is served: the first controller's address. */
  readonly apiAddress: string
}

/** The OpenStack that the chart stage installs. */
export type OpenstackSettings = {
  readonly plan: 'compute-kit'
  /** Values per release, merged over the plan's own. */
  readonly values: Readonly<Record<string, unknown>>
}

/** The machines of one role, in the order of the file. */
export function machinesOf(site: Site, role: Machine['role']): Machine[] {
  return site.machines.filter(machine => machine.role === role)
}
