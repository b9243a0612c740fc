// Images, from which servers are made.

import { publicUrl } from '../../../openstack/endpoints.ts'
import { dbSync, deployment, release, serviceSecrets, serviceValues, type Planner } from '../../plan/parts.ts'

export const glance: Planner = facts => ({
  secrets: serviceSecrets('glance'),
  releases: [
    release('glance', facts, {
      needs: ['keystone'],
      values: serviceValues('glance', facts, {
        image: facts.images.openstackControl,
        components: ['api'],
        endpoints: ['image'],
      }),
      promises: [
        dbSync('glance'),
        deployment('glance-api'),
        { kind: 'http', url: `${publicUrl(facts.site, 'glance')}/healthcheck`, status: 200 },
      ],
    }),
  ],
})
