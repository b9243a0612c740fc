// The objects of one namespace that gates look at, as the Kubernetes API gives them; only the fields that are read.

/** All that is seen of a namespace at one moment. */
export type Snapshot = {
  readonly pods: readonly Pod[]
  readonly deployments: readonly Workload[]
  readonly statefulsets: readonly Workload[]
  readonly daemonsets: readonly Daemonset[]
  readonly jobs: readonly Job[]
}

export type Meta = {
  readonly name: string
  readonly uid?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
}

export type Workload = {
  readonly metadata: Meta
  readonly spec?: { readonly replicas?: number; readonly selector?: { readonly matchLabels?: Labels } }
  readonly status?: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly updatedReplicas?: number
    readonly readyReplicas?: number
    readonly updateRevision?: string
  }
}

export type Daemonset = {
  readonly metadata: Meta
  readonly spec?: {
    readonly selector?: { readonly matchLabels?: Labels }
    readonly template?: { readonly spec?: { readonly nodeSelector?: Labels } }
  }
  readonly status?: {
    readonly observedGeneration?: number
    readonly desiredNumberScheduled?: number
    readonly updatedNumberScheduled?: number
    readonly numberReady?: number
  }
}

export type Job = {
  readonly metadata: Meta
  readonly status?: { readonly conditions?: readonly Condition[]; readonly failed?: number }
}

export type Pod = {
  readonly metadata: Meta
  readonly spec?: { readonly nodeName?: string; readonly nodeSelector?: Labels }
  readonly status?: {
    readonly phase?: string
    readonly conditions?: readonly Condition[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

export type Labels = Readonly<Record<string, string>>

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
