// The cache of tokens, catalogs and sessions. It keeps nothing.

import { deployment, release, type Planner } from '../../plan/parts.ts'

export const memcached: Planner = facts => ({
  secrets: [],
  releases: [
    release('memcached', facts, {
      values: { images: { tags: { memcached: facts.images.openstackInfra } } },
      promises: [deployment('memcached')],
    }),
  ],
})
