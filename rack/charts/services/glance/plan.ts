// Images, from which servers are made.

import { apiService, deployment, type Planner } from '../../plan/parts.ts'

export const glance: Planner = facts =>
  apiService('glance', facts, {
    needs: ['keystone'],
    image: facts.images.openstackControl,
    components: ['api'],
    endpoints: ['image'],
    servers: [deployment('glance-api')],
    answers: { path: '/healthcheck' },
  })
