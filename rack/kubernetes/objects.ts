// Kubernetes objects: what names one, what is applied, and what is read, with only the fields that are read.

/** A kind of object and the version of its API: `v1` and `Pod`, `apps/v1` and `Deployment`. */
export type ObjectKind = { readonly apiVersion: string; readonly kind: string }

/** The kinds that are asked for by more than one room. */
export const kinds = {
  namespace: { apiVersion: 'v1', kind: 'Namespace' },
  node: { apiVersion: 'v1', kind: 'Node' },
  pod: { apiVersion: 'v1', kind: 'Pod' },
  secret: { apiVersion: 'v1', kind: 'Secret' },
  configMap: { apiVersion: 'v1', kind: 'ConfigMap' },
  persistentVolume: { apiVersion: 'v1', kind: 'PersistentVolume' },
  persistentVolumeClaim: { apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
  service: { apiVersion: 'v1', kind: 'Service' },
  serviceAccount: { apiVersion: 'v1', kind: 'ServiceAccount' },
  priorityClass: { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass' },
  runtimeClass: { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass' },
  storageClass: { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' },
  event: { apiVersion: 'v1', kind: 'Event' },
  deployment: { apiVersion: 'apps/v1', kind: 'Deployment' },
  statefulset: { apiVersion: 'apps/v1', kind: 'StatefulSet' },
  daemonset: { apiVersion: 'apps/v1', kind: 'DaemonSet' },
  job: { apiVersion: 'batch/v1', kind: 'Job' },
} as const satisfies Readonly<Record<string, ObjectKind>>

/** What names an object. One of a namespaced kind is in the namespace `default` unless another is named. */
export type ObjectKey = ObjectKind & { readonly name: string; readonly namespace?: string }

/** The objects of a kind: in one namespace or in all, all of them or those that both selectors fit. */
export type Selection = ObjectKind & {
  readonly namespace?: string
  /** By labels, as in `kubectl get --selector`: `owner=helm`. */
  readonly labels?: string
  /** By fields, as in `kubectl get --field-selector`: `type=Warning`. */
  readonly fields?: string
}

/** Any object as it is applied: what `kubectl get -o json` shows and server-side apply takes. */
export type Manifest = ObjectKind & {
  readonly metadata: Metadata
  readonly [field: string]: unknown
}

/** The part of an object's metadata that we set. */
export type Metadata = {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Labels
  readonly annotations?: Readonly<Record<string, string>>
}

export type Labels = Readonly<Record<string, string>>

/** Any object as it is read. Times are text as the API writes them (RFC 3339). */
export type KubernetesObject = { readonly metadata: Meta }

/** The part of an object's metadata that is read. */
type Meta = {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  /** Counts the changes of what is wanted (`spec`); a status that has seen them all observes the same number. */
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Labels
  readonly annotations?: Labels
  /** What made the object, and removes it when it is removed itself. */
  readonly ownerReferences?: readonly {
    readonly kind: string
    readonly name: string
    readonly controller?: boolean
  }[]
}

/** A Deployment or a StatefulSet. */
export type Workload = KubernetesObject & {
  readonly spec?: { readonly replicas?: number; readonly selector?: { readonly matchLabels?: Labels } }
  readonly status?: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly updatedReplicas?: number
    readonly availableReplicas?: number
    /** Of a StatefulSet: the revision that its pods are to have. */
    readonly updateRevision?: string
  }
}

export type Daemonset = KubernetesObject & {
  readonly spec?: {
    readonly selector?: { readonly matchLabels?: Labels }
    readonly template?: { readonly spec?: { readonly nodeSelector?: Labels } }
  }
  readonly status?: {
    readonly observedGeneration?: number
    readonly desiredNumberScheduled?: number
    readonly updatedNumberScheduled?: number
    readonly numberAvailable?: number
  }
}

export type Job = KubernetesObject & {
  readonly status?: { readonly conditions?: readonly Condition[]; readonly failed?: number }
}

export type Pod = KubernetesObject & {
  readonly spec?: { readonly nodeName?: string; readonly nodeSelector?: Labels }
  readonly status?: {
    readonly phase?: string
    readonly conditions?: readonly Condition[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

export type Node = KubernetesObject & {
  /** `unschedulable`: no new pods are put there. */
  readonly spec?: { readonly unschedulable?: boolean }
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[]
    readonly conditions?: readonly Condition[]
  }
}

export type Lease = KubernetesObject & {
  readonly spec?: { readonly holderIdentity?: string; readonly renewTime?: string }
}

export type Condition = {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

export type ContainerStatus = {
  readonly name: string
  readonly ready?: boolean
  readonly restartCount?: number
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly running?: { readonly startedAt?: string }
    readonly terminated?: { readonly exitCode?: number; readonly reason?: string }
  }
  readonly lastState?: {
    readonly terminated?: { readonly exitCode?: number; readonly reason?: string; readonly message?: string }
  }
}
