// The present state of a release: looks at what it promises, cheap things first. `charts apply` looks until all is
// kept, `charts status` looks once.

import { messageOf } from '#progress/wait.ts'
import { asConnectionError } from '../../openstack/errors.ts'
import { listHypervisors } from '../../openstack/compute.ts'
import { OpenstackClient } from '../../openstack/client.ts'
import { listAgents } from '../../openstack/network.ts'
import { cloudAdmin } from '../../openstack/endpoints.ts'
import { judgeAgents, judgeHypervisors, judgePromise, type ObjectPromise } from './gates.ts'
import type { NamespaceView } from '../../kubernetes/namespace-view.ts'
import type { Promised, ReleasePlan } from '../plan/plan.ts'
import { ready, waiting, worstOf, type Readiness } from '../../kubernetes/readiness.ts'

/** Milliseconds between two requests to a service that is starting: answering would slow its start. */
const askEveryMs = 1000

/** Looks at the promises of releases. */
export class PromiseWatch {
  readonly #view: NamespaceView
  readonly #authUrl: string
  readonly #password: string
  readonly #answers = new Map<string, { readonly at: number; readonly answer: Promise<unknown> }>()
  #cloud: Promise<OpenstackClient> | undefined

  /** `authUrl` is Keystone's, `password` the administrator's. */
  constructor(view: NamespaceView, authUrl: string, password: string) {
    this.#view = view
    this.#authUrl = authUrl
    this.#password = password
  }

  /**
   * The first promise that is broken, else the first that is not kept yet. What is asked over the network is only
   * asked once the release's pods are there to answer.
   *
   * @throws what keeps the Kubernetes API from showing the objects
   */
  async look(release: ReleasePlan): Promise<Readiness> {
    const seen = await this.#view.look()
    const now = Date.now()
    const objects = release.promises.filter(isOfObjects)
    const worst = worstOf(objects.map(it => judgePromise(it, release.name, seen, now)))
    if (worst !== undefined) return worst
    for (const promised of release.promises) {
      if (isOfObjects(promised)) continue
      const readiness = await this.#ask(promised).catch((error: unknown) =>
        waiting(`${titleOf(promised)}: ${messageOf(error)}`),
      )
      if (readiness.state !== 'ready') return readiness
    }
    return ready('every promise is kept')
  }

  async #ask(promised: Exclude<Promised, ObjectPromise>): Promise<Readiness> {
    if (promised.kind === 'http') {
      const { url, status } = promised
      return this.#lately(url, () => askHttp(url, status))
    }
    const cloud = await this.#lately('token', () => this.#admin())
    if (promised.kind === 'token') return ready('a token was given')
    if (promised.kind === 'agents')
      return judgeAgents(promised, await this.#lately('agents', () => listAgents(cloud)))
    const hypervisors = await this.#lately('hypervisors', () => listHypervisors(cloud))
    const found = hypervisors.map(({ service, state, status }) => ({ host: service.host, state, status }))
    return judgeHypervisors(promised, found)
  }

  /** The last answer to that question, also when it was an error, unless it is too old: then it is asked again. */
  #lately<T>(question: string, ask: () => Promise<T>): Promise<T> {
    const now = performance.now()
    const known = this.#answers.get(question)
    if (known !== undefined && now - known.at < askEveryMs) return known.answer as Promise<T> // of that question
    const answer = ask()
    this.#answers.set(question, { at: now, answer })
    return answer
  }

  /** One client for all questions; the first caller connects it. */
  #admin(): Promise<OpenstackClient> {
    if (this.#cloud !== undefined) return this.#cloud
    const { user, project } = cloudAdmin
    const cloud = OpenstackClient.connect(this.#authUrl, { user, password: this.#password, project })
    this.#cloud = cloud
    cloud.catch(() => (this.#cloud = undefined)) // the next question tries again
    return cloud
  }
}

/** A promise as text for people. */
export function titleOf(promised: Promised): string {
  switch (promised.kind) {
    case 'http':
      return promised.url
    case 'token':
      return 'a token'
    case 'agents':
      return `${promised.binaries.join(' and ')} on ${promised.hosts.join(' ')}`
    case 'hypervisors':
      return `hypervisors ${promised.hosts.join(' ')}`
    default:
      return `${promised.kind} ${promised.name}`
  }
}

async function askHttp(url: string, status: number): Promise<Readiness> {
  const options = { signal: AbortSignal.timeout(5000), redirect: 'manual' } as const
  const answer = await fetch(url, options).catch(asConnectionError)
  await answer.body?.cancel()
  return answer.status === status ? ready(`${url} answers`) : waiting(`${url} answers ${answer.status}`)
}

function isOfObjects(promised: Promised): promised is ObjectPromise {
  return ['deployment', 'statefulset', 'daemonset', 'job'].includes(promised.kind)
}
