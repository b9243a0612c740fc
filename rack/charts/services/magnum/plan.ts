// Clusters of containers, where a site asks for them.

import { publicUrl } from '../../../openstack/endpoints.ts'
import { ChartPlanError } from '../../errors.ts'
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

/** @throws {ChartPlanError} when the site does without Heat, which makes the clusters */
export const magnum: Planner = facts => {
  if (!facts.site.openstack.waves.includes('heat'))
    throw new ChartPlanError('Magnum makes clusters by Heat. Add heat to openstack.waves of the site file.')
  return {
    secrets: [...serviceSecrets('magnum'), passwordSecret('magnum-domain')],
    releases: [
      release('magnum', facts, {
        needs: ['keystone', 'rabbitmq', 'heat'],
        values: serviceValues('magnum', facts, {
          image: facts.images.openstackExtra,
          components: ['api', 'conductor'],
          endpoints: ['container_infra'],
        }),
        promises: [
          dbSync('magnum'),
          deployment('magnum-api'),
          statefulset('magnum-conductor'),
          { kind: 'http', url: `${publicUrl(facts.site, 'magnum')}/healthcheck`, status: 200 },
        ],
      }),
    ],
  }
}
