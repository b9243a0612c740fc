// Servers: Nova's control plane, and its part on every compute host.

import { publicUrl } from '../../../openstack/endpoints.ts'
import { mergeValues } from '../../values/values.ts'
import {
  daemonset,
  dbSync,
  deployment,
  passwordSecret,
  release,
  serviceSecrets,
  serviceValues,
  statefulset,
  type Planner,
} from '../../plan/parts.ts'

export const nova: Planner = facts => ({
  // With the last one, Neutron's metadata agents prove themselves to Nova's metadata service.
  secrets: [...serviceSecrets('nova'), passwordSecret('neutron-metadata')],
  releases: [
    release('nova', facts, {
      needs: ['rabbitmq', 'placement'],
      // Nova's compute hosts need libvirt and Neutron's agents, whose ports need Nova's answer.
      group: 'compute',
      // In MiB: what the pods beside the guests ask for, and Kubernetes itself.
      layouts: { 'all-in-one': { conf: { nova: { DEFAULT: { reserved_host_memory_mb: 5120 } } } } },
      values: mergeValues(
        serviceValues('nova', facts, {
          image: facts.images.openstackControl,
          components: ['api', 'metadata', 'conductor', 'scheduler', 'novncproxy'],
          endpoints: ['compute', 'compute_novnc_proxy'],
        }),
        {
          images: { tags: { nova_compute: facts.images.openstackCompute } },
          // Cinder lets go of a volume only for a service that shows its own token beside the user's.
          ...(facts.site.openstack.waves.includes('cinder')
            ? { conf: { nova: { service_user: { send_service_user_token: true } } } }
            : {}),
        },
      ),
      promises: [
        dbSync('nova'),
        ...['nova-api', 'nova-metadata', 'nova-novncproxy'].map(deployment),
        ...['nova-conductor', 'nova-scheduler'].map(statefulset),
        { kind: 'http', url: `${publicUrl(facts.site, 'nova')}/`, status: 200 },
        daemonset('nova-compute'),
        { kind: 'hypervisors', hosts: facts.computes },
      ],
    }),
  ],
})
