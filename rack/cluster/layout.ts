// Where the cluster's files are on a machine, and which ports its parts listen on. Constants only: the bundle,
// the manifests and the tests agree by reading them here. `ignition/` repeats the paths it needs.

/** Directories on a machine. */
export const directories = {
  /** Read by every copy of the API server. */
  apiserver: '/etc/kubernetes/kube-apiserver',
  controllerManager: '/etc/kubernetes/kube-controller-manager',
  scheduler: '/etc/kubernetes/kube-scheduler',
  kubelet: '/etc/kubernetes/kubelet',
  checkpointer: '/etc/kubernetes/checkpointer',
  /** Static copies of the control plane, ready to be activated. */
  kept: '/etc/kubernetes/checkpoint',
  /** What the kubelet runs without an API server. */
  active: '/etc/kubernetes/manifests',
  etcd: '/etc/etcd',
  /** What API servers write of requests: `audit.log` and `audit-static.log`, each with its earlier pieces. */
  audit: '/var/log/kubernetes',
} as const

/**
 * Ports of the control plane. Static copies of controller manager and scheduler listen on their own ports, so a
 * probe always knows which copy answers it; for the API server the bind address makes that difference
 * (`manifests/control-plane.ts`).
 */
export const ports = {
  apiserver: 6443,
  controllerManager: 10257,
  controllerManagerStatic: 10357,
  scheduler: 10259,
  schedulerStatic: 10359,
  etcdClient: 2379,
  etcdPeer: 2380,
} as const

/** The groups that our own certificates name. */
export const groups = {
  /** Bound to cluster-admin by us, so that the right can be taken away again. */
  admins: 'pilotlight:admins',
  /** Bound inside the API server to every right: for the first step, and for breaking glass. */
  breakGlass: 'system:masters',
  /** Reads the static copies that it keeps. */
  checkpointers: 'pilotlight:checkpointers',
  nodes: 'system:nodes',
} as const
