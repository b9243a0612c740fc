// How machines become a cluster: the steps as data, to be read before anything is touched and followed after.

import { machinesOf, type Site } from '../site/site.ts'
import { apiEndpoint } from './network.ts'

/** The steps' names, in their order. */
export type ClusterStepId =
  'api' | 'objects' | 'nodes' | 'control-plane' | 'pivot' | 'network' | 'dns' | 'verify'

/** One step of the bring-up: it is done once what it waits for is true, and may be run again at any time. */
export type ClusterStep = {
  readonly id: ClusterStepId
  readonly title: string
  /** The state that ends the step, as people read it. */
  readonly waitsFor: string
  /** Seconds after which the step fails and reports what is missing. */
  readonly limitSeconds: number
}

/** The steps that make `site`'s machines, once their kubelets run, one cluster with a self-hosted control plane. */
export function planCluster(site: Site): ClusterStep[] {
  const controllers = machinesOf(site, 'controller').map(machine => machine.name)
  const count = site.machines.length
  const nodes = count === 1 ? 'the node' : `all ${count} nodes`
  const on = controllers.join(', ')
  return [
    {
      id: 'api',
      title: 'temporary control plane',
      waitsFor: `the static API server on ${controllers[0] ?? 'no controller'} is ready at ${apiEndpoint(site).host}`,
      limitSeconds: 180,
    },
    {
      id: 'objects',
      title: "the cluster's own objects",
      waitsFor: 'access, endpoints, network, control plane and DNS are applied',
      limitSeconds: 90,
    },
    {
      id: 'nodes',
      title: 'nodes registered and labelled',
      waitsFor: `${nodes} registered with the address of the site file, labelled by role`,
      limitSeconds: 180,
    },
    {
      id: 'control-plane',
      title: 'self-hosted control plane',
      waitsFor: `API server, controller manager and scheduler are ready as pods of the cluster on ${on}`,
      limitSeconds: 180,
    },
    {
      id: 'pivot',
      title: 'pivot',
      waitsFor: 'the static copies are gone and the self-hosted leaders have taken over',
      limitSeconds: 120,
    },
    {
      id: 'network',
      title: 'pod network',
      waitsFor: `${nodes} Ready`,
      limitSeconds: 180,
    },
    { id: 'dns', title: 'cluster DNS', waitsFor: 'CoreDNS answers', limitSeconds: 120 },
    {
      id: 'verify',
      title: 'verification',
      waitsFor: 'the API is ready, and reaches every kubelet with verified certificates',
      limitSeconds: 60,
    },
  ]
}
