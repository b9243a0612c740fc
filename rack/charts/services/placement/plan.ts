// The inventory of what each host has to give.

import { publicUrl } from '../../../openstack/endpoints.ts'
import { dbSync, deployment, release, serviceSecrets, serviceValues, type Planner } from '../../plan/parts.ts'

export const placement: Planner = facts => ({
  secrets: serviceSecrets('placement'),
  releases: [
    release('placement', facts, {
      needs: ['keystone'],
      values: serviceValues('placement', facts, {
        image: facts.images.openstackControl,
        components: ['api'],
        endpoints: ['placement'],
      }),
      promises: [
        dbSync('placement'),
        deployment('placement-api'),
        { kind: 'http', url: `${publicUrl(facts.site, 'placement')}/`, status: 200 },
      ],
    }),
  ],
})
