// Networks: Neutron's server, and its agents on the machines that run and connect guests.

import { publicUrl } from '../endpoints.ts'
import { mergeValues } from '../values.ts'
import { dbSync, serviceSecrets, serviceValues } from './openstack.ts'
import { daemonset, deployment, release } from './part.ts'
import type { Planner } from './part.ts'

/** Agents that run where guests are, and those that connect guests to each other's hosts and to the world. */
const onComputes = ['lb-agent']
const onNetworkNodes = ['dhcp-agent', 'l3-agent', 'metadata-agent']

export const neutron: Planner = facts => {
  const { openstackControl, openstackCompute } = facts.images
  const { cidr, interface: uplink } = facts.site.openstack.external
  const agents = [...onComputes, ...onNetworkNodes]
  const server = serviceValues('neutron', facts, {
    image: openstackControl,
    components: ['server'],
    endpoints: ['network'],
  })
  return {
    secrets: serviceSecrets('neutron'),
    releases: [
      release('neutron', facts, {
        needs: ['keystone', 'rabbitmq'],
        group: 'compute',
        values: mergeValues(server, {
          images: {
            tags: Object.fromEntries(
              agents.map(name => [`neutron_${name.replace('-', '_')}`, openstackCompute]),
            ),
          },
          network: { external: { cidr, interface: uplink ?? null, nodes: facts.networkNodes } },
          conf: { neutron: { DEFAULT: { global_physnet_mtu: facts.mtu } } },
        }),
        promises: [
          dbSync('neutron'),
          deployment('neutron-server'),
          { kind: 'http', url: `${publicUrl(facts.site, 'neutron')}/`, status: 200 },
          ...agents.map(name => daemonset(`neutron-${name}`)),
          { kind: 'agents', binaries: ['neutron-linuxbridge-agent'], hosts: facts.computes },
          {
            kind: 'agents',
            binaries: onNetworkNodes.map(name => `neutron-${name}`),
            hosts: facts.networkNodes,
          },
        ],
      }),
    ],
  }
}
