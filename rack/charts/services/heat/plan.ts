// Orchestration, where a site asks for it.

import { publicUrl } from '../../../openstack/endpoints.ts'
import {
  dbSync,
  deployment,
  passwordSecret,
  release,
  serviceSecrets,
  serviceValues,
  statefulset,
  type Planner,
} from '../../plan/parts.ts'

export const heat: Planner = facts => ({
  secrets: [...serviceSecrets('heat'), passwordSecret('heat-domain'), passwordSecret('heat-encryption')],
  releases: [
    release('heat', facts, {
      needs: ['keystone', 'rabbitmq'],
      values: serviceValues('heat', facts, {
        image: facts.images.openstackExtra,
        components: ['api', 'cfn', 'engine'],
        endpoints: ['orchestration', 'cloudformation'],
      }),
      promises: [
        dbSync('heat'),
        deployment('heat-api'),
        deployment('heat-cfn'),
        statefulset('heat-engine'),
        { kind: 'http', url: `${publicUrl(facts.site, 'heat')}/healthcheck`, status: 200 },
      ],
    }),
  ],
})
