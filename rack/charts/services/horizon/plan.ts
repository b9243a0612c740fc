// The dashboard: the cloud in a browser.

import { nodePorts, publicUrl } from '../../../openstack/endpoints.ts'
import { deployment, passwordSecret, release, type Planner } from '../../plan/parts.ts'

export const horizon: Planner = facts => ({
  secrets: [passwordSecret('horizon-secret-key')],
  releases: [
    release('horizon', facts, {
      needs: ['keystone', 'memcached'],
      after: ['nova'], // no one needs a dashboard while there is nothing to show on it
      values: {
        images: { tags: { horizon_server: facts.images.openstackControl } },
        network: { server: { node_port: { enabled: true, port: nodePorts.horizon } } },
      },
      promises: [
        deployment('horizon'),
        { kind: 'http', url: `${publicUrl(facts.site, 'horizon')}/auth/login/`, status: 200 },
      ],
    }),
  ],
})
