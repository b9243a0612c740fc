// The one watch: objects that are listed once, and then kept up to date.

import { messageOf, sleep } from '#progress/wait.ts'
import type { Change, KubernetesClient } from './client.ts'
import { KubernetesRefused } from './errors.ts'
import type { KubernetesObject, Selection } from './objects.ts'

/** How long a lost watch may last before `objects` says so, in milliseconds. */
const staleMs = 5000

/** The least time between two beginnings of a watch, in milliseconds: an API that ends each at once is not stormed. */
const leastWatchMs = 300

/**
 * The objects of a selection, as a watch shows them. It begins at the first question, and runs until `signal`.
 *
 * A watch that ends, or loses its connection, goes on from the last version that it saw. After a refusal everything is
 * listed again: usually it is 410 Gone, the version is too old.
 */
export class Followed<T extends KubernetesObject> {
  readonly #client: KubernetesClient
  readonly #of: Selection
  readonly #signal: AbortSignal
  readonly #objects = new Map<string, T>()
  #version = ''
  #first: Promise<void> | undefined
  #lost: { readonly since: number; readonly error: unknown } | undefined

  constructor(client: KubernetesClient, of: Selection, signal: AbortSignal) {
    this.#client = client
    this.#of = of
    this.#signal = signal
  }

  /**
   * The objects as they were last shown.
   *
   * @throws what keeps the API from showing them: of the first list at once, later after five seconds without a watch
   */
  async objects(): Promise<readonly T[]> {
    this.#first ??= this.#begin()
    await this.#first
    if (this.#lost !== undefined && performance.now() - this.#lost.since > staleMs) throw this.#lost.error
    return [...this.#objects.values()]
  }

  async #begin(): Promise<void> {
    await this.#list().catch((error: unknown) => {
      this.#first = undefined // the next question tries again
      throw error
    })
    void this.#follow()
  }

  /** Lists everything again; the API server answers from its memory instead of asking etcd. */
  async #list(): Promise<void> {
    const { items, version } = await this.#client.list<T>(this.#of, { isCached: true })
    this.#objects.clear()
    for (const item of items) this.#objects.set(keyOf(item), item)
    this.#version = version
  }

  /** Runs until the signal; never rejects. */
  async #follow(): Promise<void> {
    for (let isListed = true; !this.#signal.aborted;) {
      const began = performance.now()
      try {
        if (!isListed) await this.#list()
        isListed = true
        const changes = await this.#client.watch<T>(this.#of, this.#version, this.#signal)
        this.#lost = undefined
        for await (const change of changes) this.#take(change)
      } catch (error) {
        this.#lost ??= { since: performance.now(), error: new Error(messageOf(error), { cause: error }) }
        if (error instanceof KubernetesRefused) isListed = false
      }
      const pause = leastWatchMs - (performance.now() - began)
      if (pause > 0) await sleep(pause, this.#signal).catch(() => {}) // aborted: the loop ends
    }
  }

  #take({ type, object }: Change<T>): void {
    if (type === 'DELETED') this.#objects.delete(keyOf(object))
    else if (type !== 'BOOKMARK') this.#objects.set(keyOf(object), object)
    this.#version = object.metadata.resourceVersion ?? this.#version
  }
}

function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}
