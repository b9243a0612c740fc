// Block storage, where a site asks for it.

import { publicUrl } from '../../../openstack/endpoints.ts'
import {
  dbSync,
  deployment,
  release,
  serviceSecrets,
  serviceValues,
  statefulset,
  type Planner,
} from '../../plan/parts.ts'

export const cinder: Planner = facts => ({
  secrets: serviceSecrets('cinder'),
  releases: [
    release('cinder', facts, {
      needs: ['keystone', 'rabbitmq'],
      values: serviceValues('cinder', facts, {
        image: facts.images.openstackExtra,
        components: ['api', 'scheduler', 'volume'],
        endpoints: ['volumev3'],
      }),
      promises: [
        dbSync('cinder'),
        deployment('cinder-api'),
        statefulset('cinder-scheduler'),
        statefulset('cinder-volume'),
        // 300: the API lists its versions.
        { kind: 'http', url: `${publicUrl(facts.site, 'cinder')}/`, status: 300 },
      ],
    }),
  ],
})
