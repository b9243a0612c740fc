// Servers: Nova's control plane, and its part on every compute host.

import {
  apiService,
  daemonset,
  deployment,
  passwordSecret,
  statefulset,
  type Planner,
} from '../../plan/parts.ts'

export const nova: Planner = facts =>
  apiService('nova', facts, {
    needs: ['rabbitmq', 'placement'],
    // Nova's compute hosts need libvirt and Neutron's agents, whose ports need Nova's answer.
    group: 'compute',
    image: facts.images.openstackControl,
    components: ['api', 'metadata', 'conductor', 'scheduler', 'novncproxy'],
    endpoints: ['compute', 'compute_novnc_proxy'],
    // With it, Neutron's metadata agents prove themselves to Nova's metadata service.
    secrets: [passwordSecret('neutron-metadata')],
    // In MiB: what the pods beside the guests ask for, and Kubernetes itself.
    layouts: { 'all-in-one': { conf: { nova: { DEFAULT: { reserved_host_memory_mb: 5120 } } } } },
    values: {
      images: { tags: { nova_compute: facts.images.openstackCompute } },
      // Cinder releases a volume only for a service that shows its own token beside the user's.
      ...(facts.site.openstack.waves.includes('cinder')
        ? { conf: { nova: { service_user: { send_service_user_token: true } } } }
        : {}),
    },
    servers: [
      ...['nova-api', 'nova-metadata', 'nova-novncproxy'].map(deployment),
      ...['nova-conductor', 'nova-scheduler'].map(statefulset),
    ],
    answers: { path: '/' },
    agents: [daemonset('nova-compute'), { kind: 'hypervisors', hosts: facts.computes }],
  })
