// Looks at a namespace for all gates together: one list of each kind serves everybody who asks at the same time.

import { stripVTControlCharacters } from 'node:util'
import type { KubernetesApi } from './api.ts'
import type { Job, Pod, Snapshot, Suspect, Workload } from './gates.ts'

/** How old an answer may be before the API is asked again, in milliseconds. */
const freshMs = 300
/** How long the words about one pod are kept, in milliseconds: logs and events cost a question each. */
const hintMs = 2000

/** What is seen of one namespace, shared by its gates. */
export class NamespaceView {
  readonly #api: KubernetesApi
  readonly #namespace: string
  #last: { readonly at: number; readonly snapshot: Promise<Snapshot> } | undefined
  readonly #hints = new Map<string, { readonly at: number; readonly text: Promise<string> }>()

  constructor(api: KubernetesApi, namespace: string) {
    this.#api = api
    this.#namespace = namespace
  }

  /** The objects as they were at most a blink ago. */
  look(): Promise<Snapshot> {
    const now = performance.now()
    if (this.#last === undefined || now - this.#last.at > freshMs)
      this.#last = { at: now, snapshot: this.#list() }
    return this.#last.snapshot
  }

  /** The last warning about a pod and the last line that its container said, or an empty text. */
  hint(suspect: Suspect): Promise<string> {
    const key = `${suspect.pod}/${suspect.container}/${suspect.previous}`
    const now = performance.now()
    const known = this.#hints.get(key)
    if (known !== undefined && now - known.at < hintMs) return known.text
    const text = this.#tell(suspect, 1)
    this.#hints.set(key, { at: now, text })
    return text
  }

  /** The same with the last `lines` lines, for the message of a failure. */
  lastWords(suspect: Suspect, lines = 8): Promise<string> {
    return this.#tell(suspect, lines)
  }

  async #list(): Promise<Snapshot> {
    // resourceVersion=0: the API server answers from memory instead of asking etcd.
    const items = async <T>(path: string) =>
      (await this.#api.get<{ items: T[] }>(`${path}?resourceVersion=0`))?.items ?? []
    const [pods, deployments, statefulsets, jobs] = await Promise.all([
      items<Pod>(`/api/v1/namespaces/${this.#namespace}/pods`),
      items<Workload>(`/apis/apps/v1/namespaces/${this.#namespace}/deployments`),
      items<Workload>(`/apis/apps/v1/namespaces/${this.#namespace}/statefulsets`),
      items<Job>(`/apis/batch/v1/namespaces/${this.#namespace}/jobs`),
    ])
    return { pods, deployments, statefulsets, jobs }
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

/** A line as it fits beside others: without colours and time stamps, and not too long. */
function brief(line: string): string {
  const plain = stripVTControlCharacters(line)
    .replaceAll(/\[[\d;]*m/g, '') // half of a colour code, as oslo.log leaves it
    .replace(/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*/, '')
    .trim()
  return plain.length > 160 ? `${plain.slice(0, 157)}...` : plain
}
