// The daemon that runs guests, on every machine that does.

import { daemonset, release, type Planner } from '../../plan/parts.ts'

export const libvirt: Planner = facts => ({
  secrets: [],
  releases: [
    release('libvirt', facts, {
      group: 'compute',
      values: { images: { tags: { libvirt_libvirt: facts.images.openstackCompute } } },
      promises: [daemonset('libvirt')],
    }),
  ],
})
