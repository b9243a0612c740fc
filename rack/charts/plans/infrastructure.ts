// What every service stands on: database, queue and cache, side by side.

import { deployment, passwordSecret, release, statefulset, type Planner } from './part.ts'

export const infrastructure: Planner = facts => {
  const image = facts.images.openstackInfra
  return {
    secrets: [
      passwordSecret('mariadb-root'),
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
      release('mariadb', facts, {
        values: { images: { tags: { mariadb: image } } },
        promises: [statefulset('mariadb')],
      }),
      release('rabbitmq', facts, {
        values: { images: { tags: { rabbitmq: image } } },
        promises: [statefulset('rabbitmq')],
      }),
      release('memcached', facts, {
        values: { images: { tags: { memcached: image } } },
        promises: [deployment('memcached')],
      }),
    ],
  }
}
