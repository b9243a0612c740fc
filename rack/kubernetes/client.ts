// What the Kubernetes API of one cluster is asked: apply, read, list, watch, remove. `connect.ts` gives a client.

import type { KubernetesObject, Manifest, ObjectKey, Selection } from './objects.ts'

/**
 * The API of one cluster, on one kept connection. Every call ends within `Limits.requestSeconds`; a watch ends when the
 * API ends it, when nothing was received for `Limits.silenceSeconds`, or by its signal.
 *
 * Each call throws {KubernetesRefused} when the API answers with an error, and {ClusterUnreachable} when it does not.
 */
export interface KubernetesClient {
  /** Makes the object as `manifest` says, by server-side apply: fields that others own and we do not set stay. */
  apply(manifest: Manifest): Promise<Manifest>
  /**
   * Has the API check whether it would make the object, without making it: a server-side dry run, as kubectl's
   * `--dry-run=server`. Fields that it does not know are passed over, as it passes over those of Helm.
   */
  dryRunCreate(manifest: Manifest): Promise<void>
  /** Gives the object, or nothing when there is none. */
  read<T>(key: ObjectKey): Promise<T | undefined>
  /** Gives the objects of a selection, and the version of the whole list, from which a watch goes on. */
  list<T>(of: Selection, options?: ListOptions): Promise<ObjectList<T>>
  /** Gives the metadata of the objects alone: names and labels of Secrets, without what they hold. */
  listMetadata(of: Selection): Promise<readonly KubernetesObject[]>
  /** Deletes the object; it is not an error when there is none. Finalizers and graceful ends may take longer than the call. */
  remove(key: ObjectKey, options?: RemoveOptions): Promise<void>
  /** Changes fields of an object that is there (RFC 7386: null removes one); an error of status 404 when it is not. */
  merge(key: ObjectKey, change: object): Promise<void>
  /**
   * Asks for the end of a pod, as a drain does: `held` when a PodDisruptionBudget does not allow it now, with the API's reason;
   * `gone` when there is no such pod any more. The pod ends within its grace period after `asked`.
   */
  evict(pod: { readonly namespace: string; readonly name: string }): Promise<Eviction>
  /**
   * Gives what changes in a selection after `version`, once the API has accepted the watch. The changes end when the
   * API ends them, which it does within minutes; they throw {KubernetesRefused} of status 410 when `version` is too old.
   */
  watch<T>(of: Selection, version: string, signal: AbortSignal): Promise<AsyncIterable<Change<T>>>
  /** Gives the last 20 lines of a container; with `previous`, of the container before its last restart. */
  log(of: ContainerLog): Promise<string>
  /** Gets any path of the API as text, whatever the status of the answer. */
  text(path: string, options?: TextOptions): Promise<{ readonly status: number; readonly text: string }>
  /** Closes the connection; what is still under way fails. */
  close(): Promise<void>
}

/**
 * `withDependents` also deletes what the object made: the API leaves the pods of a deleted Job where they are otherwise
 * (propagation policy `Orphan`).
 */
export type RemoveOptions = { readonly graceSeconds?: number; readonly withDependents?: boolean }

/** What became of the eviction of a pod. */
export type Eviction = { readonly state: 'asked' | 'gone' } | { readonly state: 'held'; readonly why: string }

/** `isCached` takes the answer from the API server's memory, which may lag behind, instead of asking etcd. */
export type ListOptions = { readonly isCached?: boolean }

/** What a list gives. */
export type ObjectList<T> = { readonly items: readonly T[]; readonly version: string }

/** A change of one object. A bookmark holds nothing but a newer version to go on from. */
export type Change<T> = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: T
}

/** A container whose log is asked for. */
export type ContainerLog = {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly previous: boolean
}

/** Seconds until the call is given up, where it is fewer than for others; and what ends it before. */
export type TextOptions = { readonly limitSeconds?: number; readonly signal?: AbortSignal }

/** How long anything may take, in seconds. */
export type Limits = {
  readonly requestSeconds: number
  /** How long a watch may be silent. The API sends a bookmark about once a minute. */
  readonly silenceSeconds: number
}
