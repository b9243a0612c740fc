// Networks: Neutron's server, and its agents on the machines that run and connect guests.

import { isRecord } from '#model/record.ts'
import { apiService, daemonset, deployment, type Planner } from '../../plan/parts.ts'
import type { Values } from '../../values/values.ts'

/** The agent of layer 2, which runs where guests are, by the chart's `network.backend`. */
const layer2Agents = {
  linuxbridge: { component: 'lb-agent', binary: 'neutron-linuxbridge-agent' },
  openvswitch: { component: 'ovs-agent', binary: 'neutron-openvswitch-agent' },
} as const

/** Agents that connect guests to each other's hosts and to the world. */
const onNetworkNodes = ['dhcp-agent', 'l3-agent', 'metadata-agent']

export const neutron: Planner = facts => {
  const { openstackControl, openstackCompute } = facts.images
  const { values, external } = facts.site.openstack
  const layer2 = layer2Agents[backendOf(values)]
  const agents = [layer2.component, ...onNetworkNodes]
  return apiService('neutron', facts, {
    needs: ['keystone', 'rabbitmq'],
    group: 'compute',
    image: openstackControl,
    components: ['server'],
    endpoints: ['network'],
    values: {
      images: {
        tags: Object.fromEntries(agents.map(name => [`neutron_${name.replace('-', '_')}`, openstackCompute])),
      },
      network: {
        external: {
          cidr: external.cidr,
          interface: external.interface ?? null,
          nodes: facts.networkNodes,
          machines: [facts.site.network.subnet],
          cluster: [facts.site.cluster.podCidr, facts.site.cluster.serviceCidr],
          resolvers: facts.site.network.dns,
        },
      },
      conf: { neutron: { DEFAULT: { global_physnet_mtu: facts.mtu } } },
    },
    servers: [deployment('neutron-server')],
    answers: { path: '/' },
    agents: [
      ...agents.map(name => daemonset(`neutron-${name}`)),
      { kind: 'agents', binaries: [layer2.binary], hosts: facts.computes },
      {
        kind: 'agents',
        binaries: onNetworkNodes.map(name => `neutron-${name}`),
        hosts: facts.networkNodes,
      },
    ],
  })
}

/** Which backend the site chose; anything else than the two is the chart's to refuse. */
function backendOf(site: Values): keyof typeof layer2Agents {
  const network = isRecord(site['neutron']) ? site['neutron']['network'] : undefined
  const backend = isRecord(network) ? network['backend'] : undefined
  return Array.isArray(backend) && backend[0] === 'openvswitch' ? 'openvswitch' : 'linuxbridge'
}
