// Neutron's calls: its agents, and the parts of a network that a guest is reached by.

import type { OpenstackClient } from './client.ts'

/** A process that does Neutron's work on a host. */
export type Agent = {
  /** For example `neutron-linuxbridge-agent`. */
  readonly binary: string
  readonly host: string
  /** It reported lately. */
  readonly alive: boolean
  readonly admin_state_up: boolean
}

export type Network = { readonly id: string; readonly name: string; readonly subnets: readonly string[] }
export type Subnet = { readonly id: string; readonly cidr: string; readonly gateway_ip: string | null }
export type Port = { readonly id: string; readonly address: string }
export type FloatingIp = { readonly id: string; readonly floating_ip_address: string }

export async function listAgents(cloud: OpenstackClient): Promise<Agent[]> {
  return (await cloud.get<{ agents: Agent[] }>('network', '/agents')).agents
}

/** Networks that lead out of the cloud. */
export async function externalNetworks(cloud: OpenstackClient): Promise<Network[]> {
  return (await cloud.get<{ networks: Network[] }>('network', '/networks?router:external=true')).networks
}

/** Makes a network, and gives its id. Fields are Neutron's. */
export async function createNetwork(
  cloud: OpenstackClient,
  network: { readonly name: string; readonly [field: string]: unknown },
): Promise<string> {
  return (await cloud.post<{ network: { id: string } }>('network', '/networks', { network })).network.id
}

/** Makes an IPv4 subnet. Fields are Neutron's. */
export async function createSubnet(
  cloud: OpenstackClient,
  subnet: {
    readonly name: string
    readonly network_id: string
    readonly cidr: string
    readonly enable_dhcp?: boolean
  },
): Promise<Subnet> {
  return (
    await cloud.post<{ subnet: Subnet }>('network', '/subnets', { subnet: { ip_version: 4, ...subnet } })
  ).subnet
}

export async function readSubnet(cloud: OpenstackClient, id: string): Promise<Subnet> {
  return (await cloud.get<{ subnet: Subnet }>('network', `/subnets/${id}`)).subnet
}

/** Makes a security group that lets ping and HTTP in, and gives its id. */
export async function createWebGroup(cloud: OpenstackClient, name: string): Promise<string> {
  const made = await cloud.post<{ security_group: { id: string } }>('network', '/security-groups', {
    security_group: { name },
  })
  const { id } = made.security_group
  const inward = { security_group_id: id, direction: 'ingress', ethertype: 'IPv4' }
  await cloud.post('network', '/security-group-rules', {
    security_group_rules: [
      { ...inward, protocol: 'icmp' },
      { ...inward, protocol: 'tcp', port_range_min: 80, port_range_max: 80 },
    ],
  })
  return id
}

/** Makes a router and plugs it into the subnet; `external` is the network behind it, where there is one. */
export async function createRouter(
  cloud: OpenstackClient,
  name: string,
  subnet: string,
  external: string | undefined,
): Promise<string> {
  const gateway = external === undefined ? {} : { external_gateway_info: { network_id: external } }
  const made = await cloud.post<{ router: { id: string } }>('network', '/routers', {
    router: { name, ...gateway },
  })
  await cloud.put('network', `/routers/${made.router.id}/add_router_interface`, { subnet_id: subnet })
  return made.router.id
}

/** Makes a port with an address of the network's, which Neutron chooses. */
export async function createPort(
  cloud: OpenstackClient,
  port: { readonly name: string; readonly network_id: string; readonly security_groups: readonly string[] },
): Promise<Port> {
  type Made = { port: { id: string; fixed_ips: readonly { ip_address: string }[] } }
  const made = await cloud.post<Made>('network', '/ports', { port })
  return { id: made.port.id, address: made.port.fixed_ips[0]?.ip_address ?? '' }
}

/** Takes an address of the external network and leads it to the port. `description` serves as its name. */
export async function createFloatingIp(
  cloud: OpenstackClient,
  external: string,
  port: string,
  description: string,
): Promise<FloatingIp> {
  const floatingip = { floating_network_id: external, port_id: port, description }
  return (await cloud.post<{ floatingip: FloatingIp }>('network', '/floatingips', { floatingip })).floatingip
}
