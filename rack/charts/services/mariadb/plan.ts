// The database, which every service keeps its state in.

import { passwordSecret, release, statefulset, type Planner } from '../../plan/parts.ts'

export const mariadb: Planner = facts => ({
  secrets: [passwordSecret('mariadb-root')],
  releases: [
    release('mariadb', facts, {
      values: { images: { tags: { mariadb: facts.images.openstackInfra } } },
      promises: [statefulset('mariadb')],
    }),
  ],
})
