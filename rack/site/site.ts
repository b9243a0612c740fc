// The desired state of a rack, as rack/site/read.ts gives it: checked, with every default filled in.

import type { Machine, MachineTrust } from '#model/machine.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { SiteChoices } from '#model/site.ts'

/** A whole site file. */
export type Site = {
  readonly name: string
  readonly network: ProvisioningNetwork
  readonly machines: readonly Machine[]
  /** What each of the machines must show before it gets its bundle. */
  readonly trust: MachineTrust
  readonly access: AccessSettings
  readonly cluster: ClusterSettings
  readonly openstack: OpenstackSettings
  /** What the file leaves to Pilotlight. */
  readonly chosen: SiteChoices
}

/** How people reach the machines; no one does unless the file says so. */
export type AccessSettings = {
  /** Public keys of OpenSSH, as lines of an authorized_keys file without options; root logs in with any of them. */
  readonly sshKeys: readonly string[]
  /** Who gets a shell at a machine's screen and serial port. The hash is one of crypt(5). */
  readonly console:
    { readonly login: 'off' | 'autologin' } | { readonly login: 'password'; readonly passwordHash: string }
}

/** The Kubernetes that the controllers become. */
export type ClusterSettings = {
  /** For example `1.36.3`. */
  readonly kubernetes: string
  readonly podCidr: string
  readonly serviceCidr: string
  /** Where the API and the cloud's public endpoints are reached: see `controlPlaneAddress`. */
  readonly apiAddress: string
  /** TCP ports of the machines' network that pods may reach beyond what they need; empty unless the file says so. */
  readonly openToPods: readonly number[]
}

/** The OpenStack that the chart stage installs. */
export type OpenstackSettings = {
  /** Our own charts, or the upstream ones. */
  readonly plan: (typeof CHART_PLANS)[number]
  /** Where charts come from that are not part of this program. */
  readonly charts?: ChartOrigin
  /** openstack-helm's words for variants of its values, for example `2026.1 ubuntu_noble`. */
  readonly features: readonly string[]
  /** Registries, or paths in one, that machines pull images from: `registry.test/openstack`. */
  readonly registries: readonly string[]
  /** Services beyond the plan's own, in the order of `OPTIONAL_SERVICES`. */
  readonly waves: readonly OptionalService[]
  /** Values per release, merged over the plan's own. */
  readonly values: Readonly<Record<string, unknown>>
  readonly external: ExternalNetwork
}

/** The network between the cloud and the world: routers have a leg in it, and floating IPs are its addresses. */
export type ExternalNetwork = {
  /** For example `172.24.4.0/24`; the gateway has its first address. */
  readonly cidr: string
  /**
   * The interface by which network nodes reach it. Without one it exists only inside a network node, which is its
   * gateway, forwards, and hides it behind its own address.
   */
  readonly interface?: string
}

/** Where charts come from, and what pins them. Paths are absolute. */
export type ChartOrigin = {
  /** A folder, `https://…` of an index, or `oci://…` of a registry. */
  readonly source: string
  /** The lock file. */
  readonly lock: string
  /** A folder of openstack-helm's values overrides. */
  readonly overrides?: string
}

/** The plans of the OpenStack stage that a site may name. */
export const CHART_PLANS = ['compute-kit', 'openstack-helm'] as const

/** What a site may have on top of compute, network and image services. */
export const OPTIONAL_SERVICES = ['cinder', 'heat', 'magnum'] as const
/** One of them. */
export type OptionalService = (typeof OPTIONAL_SERVICES)[number]

/**
 * The one address by which clients reach a site's control plane: the Kubernetes API and the public endpoints of the
 * cloud. It is the first controller's own; empty when there is none, which the reader reports by itself.
 */
export function controlPlaneAddress(machines: readonly Machine[]): string {
  return machines.find(({ role }) => role === 'controller')?.address ?? ''
}

/** The machines of one role, in the order of the file. */
export function machinesOf(site: Site, role: Machine['role']): Machine[] {
  return site.machines.filter(machine => machine.role === role)
}
