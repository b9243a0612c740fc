// Clusters of containers, where a site asks for them.

import { ChartPlanError } from '../../errors.ts'
import { apiService, deployment, passwordSecret, statefulset, type Planner } from '../../plan/parts.ts'

/** @throws {ChartPlanError} when the site does without Heat, which makes the clusters */
export const magnum: Planner = facts => {
  if (!facts.site.openstack.waves.includes('heat'))
    throw new ChartPlanError('Magnum makes clusters by Heat. Add heat to openstack.waves of the site file.')
  return apiService('magnum', facts, {
    needs: ['keystone', 'rabbitmq', 'heat'],
    image: facts.images.openstackExtra,
    components: ['api', 'conductor'],
    endpoints: ['container_infra'],
    secrets: [passwordSecret('magnum-domain')],
    servers: [deployment('magnum-api'), statefulset('magnum-conductor')],
    answers: { path: '/healthcheck' },
  })
}
