// The message queue, through which the parts of a service call each other.

import { release, statefulset, type Planner } from '../../plan/parts.ts'

export const rabbitmq: Planner = facts => ({
  secrets: [
    {
      name: 'rabbitmq-admin',
      entries: {
        username: { text: 'openstack' },
        password: { generate: 'password' },
        cookie: { generate: 'password' },
      },
    },
  ],
  releases: [
    release('rabbitmq', facts, {
      values: { images: { tags: { rabbitmq: facts.images.openstackInfra } } },
      promises: [statefulset('rabbitmq')],
    }),
  ],
})
