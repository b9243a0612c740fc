// The names of the container images: what manifests and charts refer to, and what the images are stored
// under.

/** The registry name of everything built here. It resolves nowhere: these images are never pulled. */
export const IMAGE_REGISTRY = 'pilotlight.local'

/** The Kubernetes version that is built, and run, when none is named. */
export const DEFAULT_KUBERNETES = '1.36.3'

/** The CoreDNS that is built: its recipe and its image's tag say the same. */
export const COREDNS_VERSION = 'v1.15.0'
/** The flannel that is built, likewise. */
export const FLANNEL_VERSION = 'v0.28.4'

/** Image references, by what they are for. */
export type ImageReferences = {
  readonly pause: string
  readonly kubeApiserver: string
  readonly kubeControllerManager: string
  readonly kubeScheduler: string
  readonly kubeProxy: string
  readonly coredns: string
  readonly flannel: string
  readonly openstackInfra: string
  readonly openstackControl: string
  readonly openstackCompute: string
  readonly openstackExtra: string
  /** Database, queue, cache for upstream's charts, and what their pods wait with. */
  readonly openstackHelmInfra: string
  /** Keystone, Glance, Placement and the `openstack` command for upstream's charts. */
  readonly openstackHelm: string
}

/** The sandbox image of every pod. */
export const pauseReference = `${IMAGE_REGISTRY}/pause:1`

/** The image references that belong to a Kubernetes version (`1.36.3`). */
export function imageReferences(kubernetes: string): ImageReferences {
  return {
    pause: pauseReference,
    kubeApiserver: image('kube-apiserver', `v${kubernetes}`),
    kubeControllerManager: image('kube-controller-manager', `v${kubernetes}`),
    kubeScheduler: image('kube-scheduler', `v${kubernetes}`),
    kubeProxy: image('kube-proxy', `v${kubernetes}`),
    coredns: image('coredns', COREDNS_VERSION),
    flannel: image('flannel', FLANNEL_VERSION),
    openstackInfra: image('openstack-infra', 'zed'),
    openstackControl: image('openstack-control', 'zed'),
    openstackCompute: image('openstack-compute', 'zed'),
    openstackExtra: image('openstack-extra', 'zed'),
    openstackHelmInfra: image('openstack-helm-infra', 'zed'),
    openstackHelm: image('openstack-helm', 'zed'),
  }
}

function image(name: string, tag: string): string {
  return `${IMAGE_REGISTRY}/${name}:${tag}`
}
