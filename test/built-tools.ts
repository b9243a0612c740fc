// The host's tools (helm, kubectl, etcd …) as far as they were built: what tests run, or are skipped without.

import { findArtefact } from '#host/cache.ts'
import { hostToolsRecipe } from '#images/go-tools.ts'
import { kubernetesRecipe } from '#images/kubernetes.ts'
import { DEFAULT_KUBERNETES } from '#images/references.ts'

/** The folder that has them; undefined when the cache does not. */
export async function findTools(): Promise<string | undefined> {
  return (await findArtefact(hostToolsRecipe(kubernetesRecipe(DEFAULT_KUBERNETES))))?.path
}
