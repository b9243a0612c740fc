// Looks at a namespace for all gates together: follows its objects instead of listing them again and again, so that
// waiting costs next to nothing, and asks for logs and events only of what has been stuck for a while.

import { stripVTControlCharacters } from 'node:util'
import { messageOf, sleep } from '#progress/wait.ts'
import type { KubernetesApi } from './api.ts'
import type { Suspect } from '../gates/pods.ts'
import type { Daemonset, Job, Meta, Pod, Snapshot, Workload } from './snapshot.ts'

/** How long the words about one pod are kept, in milliseconds: logs and events cost a question each. */
const hintMs = 5000
/** How long a lost connection may last before a look fails, in milliseconds. */
const staleMs = 5000

/** What is seen of one namespace, shared by its gates. */
export class NamespaceView {
  readonly #api: KubernetesApi
  readonly #namespace: string
  readonly #ended = new AbortController()
  readonly #hints = new Map<string, { readonly at: number; readonly text: Promise<string> }>()
  readonly #pods: Followed<Pod>
  readonly #deployments: Followed<Workload>
  readonly #statefulsets: Followed<Workload>
  readonly #daemonsets: Followed<Daemonset>
  readonly #jobs: Followed<Job>

  /** Begins to look at the first question. */
  constructor(api: KubernetesApi, namespace: string) {
    this.#api = api
    this.#namespace = namespace
    const followed = <T extends Object>(group: string, kind: string) =>
      new Followed<T>(api, `/${group}/namespaces/${namespace}/${kind}`, this.#ended.signal)
    this.#pods = followed('api/v1', 'pods')
    this.#deployments = followed('apis/apps/v1', 'deployments')
    this.#statefulsets = followed('apis/apps/v1', 'statefulsets')
    this.#daemonsets = followed('apis/apps/v1', 'daemonsets')
    this.#jobs = followed('apis/batch/v1', 'jobs')
  }

  /** The objects as they are now. @throws what keeps the API from telling */
  async look(): Promise<Snapshot> {
    const [pods, deployments, statefulsets, daemonsets, jobs] = await Promise.all([
      this.#pods.objects(),
      this.#deployments.objects(),
      this.#statefulsets.objects(),
      this.#daemonsets.objects(),
      this.#jobs.objects(),
    ])
    return { pods, deployments, statefulsets, daemonsets, jobs }
  }

  /** The last warning about a pod and the last line that its container said, or an empty text. */
  hint(suspect: Suspect): Promise<string> {
    const key = `${suspect.pod}/${suspect.container}/${suspect.previous}`
    const now = performance.now()
    const known = this.#hints.get(key)
    if (known !== undefined && now - known.at < hintMs) return known.text
    // What has only just begun to wait is most often done before its log would be here.
    const text = known === undefined ? Promise.resolve('') : this.#tell(suspect, 1)
    this.#hints.set(key, { at: now, text })
    return text
  }

  /** The same with the last `lines` lines, for the message of a failure. */
  lastWords(suspect: Suspect, lines = 8): Promise<string> {
    return this.#tell(suspect, lines)
  }

  close(): void {
    this.#ended.abort()
  }

  async #tell({ pod, container, previous }: Suspect, lines: number): Promise<string> {
    const [warning, log] = await Promise.all([
      this.#lastWarning(pod).catch(() => undefined),
      container === undefined ? '' : this.#api.log(this.#namespace, pod, container, previous).catch(() => ''),
    ])
    const said = log.trim().split('\n').slice(-lines).map(brief).join('\n')
    return [warning && `event: ${brief(warning)}`, said && `log: ${said}`].filter(Boolean).join('; ')
  }

  async #lastWarning(pod: string): Promise<string | undefined> {
    const query = `fieldSelector=${encodeURIComponent(`involvedObject.name=${pod},type=Warning`)}`
    type Event = { message?: string; lastTimestamp?: string; eventTime?: string }
    const list = await this.#api.get<{ items: Event[] }>(
      `/api/v1/namespaces/${this.#namespace}/events?${query}`,
    )
    const when = (event: Event) => event.lastTimestamp ?? event.eventTime ?? ''
    const [newest] = (list?.items ?? []).toSorted((a, b) => when(b).localeCompare(when(a)))
    return newest?.message
  }
}

type Object = { readonly metadata: Meta & { readonly resourceVersion?: string } }

/** The objects of one kind, kept up to date by a watch that is begun again whenever it ends. */
class Followed<T extends Object> {
  readonly #api: KubernetesApi
  readonly #path: string
  readonly #signal: AbortSignal
  readonly #objects = new Map<string, T>()
  #first: Promise<void> | undefined
  #lost: { readonly since: number; readonly error: unknown } | undefined

  constructor(api: KubernetesApi, path: string, signal: AbortSignal) {
    this.#api = api
    this.#path = path
    this.#signal = signal
  }

  async objects(): Promise<readonly T[]> {
    this.#first ??= this.#begin()
    await this.#first
    if (this.#lost !== undefined && performance.now() - this.#lost.since > staleMs) throw this.#lost.error
    return [...this.#objects.values()]
  }

  async #begin(): Promise<void> {
    const version = await this.#list().catch((error: unknown) => {
      this.#first = undefined // the next question tries again
      throw error
    })
    void this.#follow(version)
  }

  /** Lists everything anew; the API server answers from memory (resourceVersion=0) instead of asking etcd. */
  async #list(): Promise<string> {
    type List = { items: T[]; metadata: { resourceVersion: string } }
    const list = await this.#api.get<List>(`${this.#path}?resourceVersion=0`)
    this.#objects.clear()
    for (const item of list?.items ?? []) this.#objects.set(item.metadata.name, item)
    return list?.metadata.resourceVersion ?? '0'
  }

  /** Runs until the view is closed. A version too old for the API, or a lost connection, starts with a new list. */
  async #follow(from: string): Promise<void> {
    for (let version: string | undefined = from; !this.#signal.aborted;) {
      try {
        version ??= await this.#list()
        this.#lost = undefined
        await this.#api.watch<T>(this.#path, version, change => (version = this.#take(change)), this.#signal)
      } catch (error) {
        if (this.#signal.aborted) return
        this.#lost ??= { since: performance.now(), error: new Error(messageOf(error), { cause: error }) }
        version = undefined
        await sleep(300, this.#signal).catch(() => {})
      }
    }
  }

  #take({ type, object }: { type: string; object: T }): string | undefined {
    if (type === 'ERROR') throw new Error(`the watch of ${this.#path} ended with an error`)
    if (type === 'DELETED') this.#objects.delete(object.metadata.name)
    else if (type !== 'BOOKMARK') this.#objects.set(object.metadata.name, object)
    return object.metadata.resourceVersion
  }
}

/** A line as it fits beside others: without colours and time stamps, and not too long. */
function brief(line: string): string {
  const plain = stripVTControlCharacters(line)
    .replaceAll(/\[[\d;]*m/g, '') // half of a colour code, as oslo.log leaves it
    .replace(/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*/, '')
    .trim()
  return plain.length > 160 ? `${plain.slice(0, 157)}...` : plain
}
