// What is seen of one namespace: its objects, kept up to date by watches, so that waiting costs next to nothing; and the
// logs and events of what has been stuck for a while.

import { stripVTControlCharacters } from 'node:util'
import type { KubernetesClient } from './client.ts'
import {
  kinds,
  type Daemonset,
  type Job,
  type KubernetesObject,
  type ObjectKind,
  type Pod,
  type Workload,
} from './objects.ts'
import type { Suspect } from './readiness.ts'
import { Followed } from './watch.ts'

/** How long what is known of one container is kept, in milliseconds: logs and events cost a request each. */
const hintMs = 5000

/** All that is seen of a namespace at one time. */
export type Snapshot = {
  readonly pods: readonly Pod[]
  readonly deployments: readonly Workload[]
  readonly statefulsets: readonly Workload[]
  readonly daemonsets: readonly Daemonset[]
  readonly jobs: readonly Job[]
}

/** What is seen of one namespace, shared by everything that waits for its objects. */
export class NamespaceView {
  readonly #api: KubernetesClient
  readonly #namespace: string
  readonly #ended = new AbortController()
  readonly #hints = new Map<string, { readonly at: number; readonly text: Promise<string> }>()
  readonly #pods: Followed<Pod>
  readonly #deployments: Followed<Workload>
  readonly #statefulsets: Followed<Workload>
  readonly #daemonsets: Followed<Daemonset>
  readonly #jobs: Followed<Job>

  /** The watches begin with the first question. */
  constructor(api: KubernetesClient, namespace: string) {
    this.#api = api
    this.#namespace = namespace
    const followed = <T extends KubernetesObject>(kind: ObjectKind) =>
      new Followed<T>(api, { ...kind, namespace }, this.#ended.signal)
    this.#pods = followed(kinds.pod)
    this.#deployments = followed(kinds.deployment)
    this.#statefulsets = followed(kinds.statefulset)
    this.#daemonsets = followed(kinds.daemonset)
    this.#jobs = followed(kinds.job)
  }

  /** The objects as they are now. @throws what keeps the API from showing them */
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

  /** The last warning about a pod and the last line of its container's log, or an empty text. */
  hint(suspect: Suspect): Promise<string> {
    const key = `${suspect.pod}/${suspect.container}/${suspect.previous}`
    const now = performance.now()
    const known = this.#hints.get(key)
    if (known !== undefined && now - known.at < hintMs) return known.text
    // What has only just begun to wait is most often done before its log would be here.
    const text = known === undefined ? Promise.resolve('') : this.#logEnd(suspect, 1)
    this.#hints.set(key, { at: now, text })
    return text
  }

  /** The same with the last `lines` lines, for the message of a failure. */
  lastWords(suspect: Suspect, lines = 8): Promise<string> {
    return this.#logEnd(suspect, lines)
  }

  close(): void {
    this.#ended.abort()
  }

  async #logEnd({ pod, container, previous }: Suspect, lines: number): Promise<string> {
    const [warning, log] = await Promise.all([
      this.#lastWarning(pod).catch(() => undefined),
      container === undefined
        ? ''
        : this.#api.log({ namespace: this.#namespace, pod, container, previous }).catch(() => ''),
    ])
    const said = log.trim().split('\n').slice(-lines).map(brief).join('\n')
    return [warning && `event: ${brief(warning)}`, said && `log: ${said}`].filter(Boolean).join('; ')
  }

  async #lastWarning(pod: string): Promise<string | undefined> {
    type Event = { message?: string; lastTimestamp?: string; eventTime?: string }
    const fields = `involvedObject.name=${pod},type=Warning`
    const { items } = await this.#api.list<Event>({ ...kinds.event, namespace: this.#namespace, fields })
    const when = (event: Event) => event.lastTimestamp ?? event.eventTime ?? ''
    const [newest] = items.toSorted((a, b) => when(b).localeCompare(when(a)))
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
