// Not a service: a pod on every node that takes away what OpenStack left there. `charts uninstall --purge` installs it
// after everything else is uninstalled, and then uninstalls it too.

import { daemonset, release } from '../../plan/parts.ts'
import type { SiteFacts } from '../../plan/facts.ts'
import type { ReleasePlan } from '../../plan/plan.ts'

/** The release that cleans the machines. It is in no plan. */
export function purgeRelease(facts: SiteFacts): ReleasePlan {
  return release('purge', facts, {
    values: { images: { tags: { purge_purge: facts.images.openstackCompute } } },
    promises: [daemonset('purge')],
  })
}
