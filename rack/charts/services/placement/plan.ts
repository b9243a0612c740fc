// The inventory of what each host has to give.

import { apiService, deployment, type Planner } from '../../plan/parts.ts'

export const placement: Planner = facts =>
  apiService('placement', facts, {
    needs: ['keystone'],
    image: facts.images.openstackControl,
    components: ['api'],
    endpoints: ['placement'],
    servers: [deployment('placement-api')],
    answers: { path: '/' },
  })
