// Orchestration, where a site asks for it.

import { apiService, deployment, passwordSecret, statefulset, type Planner } from '../../plan/parts.ts'

export const heat: Planner = facts =>
  apiService('heat', facts, {
    needs: ['keystone', 'rabbitmq'],
    image: facts.images.openstackExtra,
    components: ['api', 'cfn', 'engine'],
    endpoints: ['orchestration', 'cloudformation'],
    secrets: ['heat-domain', 'heat-encryption'].map(passwordSecret),
    servers: [...['heat-api', 'heat-cfn'].map(deployment), statefulset('heat-engine')],
    answers: { path: '/healthcheck' },
  })
