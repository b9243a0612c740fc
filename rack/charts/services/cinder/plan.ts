// Block storage, where a site asks for it.

import { apiService, deployment, statefulset, type Planner } from '../../plan/parts.ts'

export const cinder: Planner = facts =>
  apiService('cinder', facts, {
    needs: ['keystone', 'rabbitmq'],
    image: facts.images.openstackExtra,
    components: ['api', 'scheduler', 'volume'],
    endpoints: ['volumev3'],
    servers: [deployment('cinder-api'), ...['cinder-scheduler', 'cinder-volume'].map(statefulset)],
    answers: { path: '/', status: 300 }, // it lists its versions
  })
