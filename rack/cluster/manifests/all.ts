// Everything that is applied to a fresh cluster, in the order in which it is applied.

import type { Site } from '../../site/site.ts'
import { access, apiEndpoints, siteMachines } from './access.ts'
import { controlPlane } from './control-plane.ts'
import { coredns } from './coredns.ts'
import { flannel } from './flannel.ts'
import { kubeProxy } from './kube-proxy.ts'
import type { Manifest } from '../../kubernetes/objects.ts'

/**
 * The cluster's own objects, except the administrators' binding (`access.ts`), which comes first and needs
 * another identity. The network comes before what needs it, but nothing here waits: whatever lacks something
 * starts as soon as that is there.
 */
export function clusterManifests(site: Site): Manifest[] {
  return [
    ...access(),
    siteMachines(site),
    ...apiEndpoints(site),
    ...flannel(site),
    ...kubeProxy(site),
    ...controlPlane(site),
    ...coredns(site),
  ]
}
