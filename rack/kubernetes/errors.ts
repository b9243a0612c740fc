// Every error that the client of the Kubernetes API gives on purpose.

import { PilotlightError } from '#model/error.ts'

/** The Kubernetes API answered a request with a refusal. */
export class KubernetesRefused extends PilotlightError {
  readonly code = 'KUBERNETES_REFUSED'
  /** The HTTP status, for example 409; that of the refusal itself where a watch was ended by one. */
  readonly status: number
  /** The server's own message. */
  readonly reason: string
  /** `what` was asked, for example `Reading Node ctl-1`; `why` is the server's own message. */
  constructor(what: string, status: number, why: string) {
    super(`${what}: the Kubernetes API answered ${status}: ${why}`)
    this.status = status
    this.reason = why
  }
}

/** The Kubernetes API gave no answer: no connection, none that can be trusted, or silence until the limit. */
export class ClusterUnreachable extends PilotlightError {
  readonly code = 'CLUSTER_UNREACHABLE'
  /** Why, without the name of the server: `connect ECONNREFUSED 10.20.0.11:6443`, `nothing for 15 s`. */
  readonly reason: string
  constructor(server: string, reason: string, options: ErrorOptions) {
    super(`the Kubernetes API at ${server} does not answer: ${reason}`, options)
    this.reason = reason
  }
}

/** A kubeconfig that leads to no cluster. */
export class UnfitKubeconfig extends PilotlightError {
  readonly code = 'UNFIT_KUBECONFIG'
  constructor(why: string, options: ErrorOptions = {}) {
    super(`the kubeconfig cannot be used: ${why}`, {
      ...options,
      remedy: 'write it again: pilotlight kubeconfig',
    })
  }
}
