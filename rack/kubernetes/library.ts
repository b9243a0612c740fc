// The client on the official library: its kubeconfig, its authentication, its TLS and its requests. Three parts of the
// library are wrong for us, and are ours instead (as of 2.0.1; the numbers are issues of kubernetes-client/javascript):
//
// - Its typed models (`KubernetesObjectApi`, `CoreV1Api` and the like) drop the fields that they do not know, from what
//   is sent and from what is read (#2962), and turn times into objects. We send and read JSON as it is. Besides, the
//   paths of `KubernetesObjectApi` are in lower case, the names in them too, and it writes into the objects it is given.
// - `KubeConfig` makes a new pool of connections for every request (#2893, fixed for its old agents alone): every
//   request would make a new TLS connection. `OneConnection` keeps the first.
// - Its `Watch` ignores lines that it cannot read and errors of the caller's own code (#593, #856: closed, and still so),
//   hides why it was refused, and gives up after 30 s of silence, where bookmarks come once a minute. Its informer asks
//   for no bookmarks, and ends at the first error for its caller to start again (#1933). Here `watch` reads the stream,
//   and `watch.ts` keeps the objects.

import {
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  KubeConfig,
  PatchStrategy,
  ServerConfiguration,
  type RequestContext,
  type ResponseContext,
} from '@kubernetes/client-node'
import { isRecord } from '#model/record.ts'
import type {
  Change,
  ContainerLog,
  Eviction,
  KubernetesClient,
  Limits,
  ListOptions,
  ObjectList,
  RemoveOptions,
  TextOptions,
} from './client.ts'
import { Deadline } from './deadline.ts'
import { ClusterUnreachable, KubernetesRefused, UnfitKubeconfig } from './errors.ts'
import {
  kinds,
  type KubernetesObject,
  type Manifest,
  type ObjectKey,
  type ObjectKind,
  type Selection,
} from './objects.ts'

/** Who owns the fields that we apply. */
const fieldManager = 'pilotlight'

/** Seconds after which the API is asked to end a watch, so that one which has gone wrong does not last. */
const watchSeconds = 240

/** The longest change that is read, in characters. etcd takes 1.5 MiB of an object; JSON and its owners add to that. */
const changeLimit = 16 * 1024 * 1024

/** The client of `client.ts`, where each call is documented. */
export class LibraryClient implements KubernetesClient {
  readonly #config = new OneConnection()
  readonly #http = new IsomorphicFetchHttpLibrary()
  readonly #url: string
  readonly #server: ServerConfiguration<Record<string, never>>
  readonly #limits: Limits
  readonly #resources = new Map<string, Promise<readonly Resource[]>>()

  /** @throws {UnfitKubeconfig} when `kubeconfig` leads to no cluster */
  constructor(kubeconfig: string, limits: Limits) {
    try {
      this.#config.loadFromString(kubeconfig)
    } catch (cause) {
      throw new UnfitKubeconfig('it cannot be read', { cause })
    }
    const url = this.#config.getCurrentCluster()?.server
    if (url === undefined) throw new UnfitKubeconfig('its current context names no cluster')
    this.#url = url.replace(/\/+$/, '')
    this.#server = new ServerConfiguration(this.#url, {})
    this.#limits = limits
  }

  async apply(manifest: Manifest): Promise<Manifest> {
    const { apiVersion, kind, metadata } = manifest
    const text = await this.#ask(
      `Applying ${kind} ${metadata.name}`,
      HttpMethod.PATCH,
      await this.#pathOf({ apiVersion, kind, ...metadata }),
      {
        query: { fieldManager, force: 'true' },
        contentType: PatchStrategy.ServerSideApply,
        body: JSON.stringify(manifest),
      },
    )
    return JSON.parse(text) as Manifest // the answer to an apply is the object
  }

  async dryRunCreate(manifest: Manifest): Promise<void> {
    const { apiVersion, kind, metadata } = manifest
    const { isNamespaced } = await this.#resourceOf(apiVersion, kind)
    const { namespace = 'default', ...rest } = metadata
    const within = isNamespaced ? { namespace } : {}
    const path = await this.#pathOf({ apiVersion, kind, ...within })
    await this.#ask(`Trying ${kind} ${metadata.name}`, HttpMethod.POST, path, {
      query: { fieldManager, dryRun: 'All', fieldValidation: 'Ignore' },
      contentType: 'application/json',
      body: JSON.stringify({ ...manifest, metadata: { ...rest, ...within } }),
    })
  }

  async read<T>(key: ObjectKey): Promise<T | undefined> {
    const what = `Reading ${key.kind} ${key.name}`
    const text = await this.#askForOne(what, HttpMethod.GET, await this.#pathOf(key))
    return text === undefined ? undefined : (JSON.parse(text) as T) // the caller knows the kind
  }

  async list<T>(of: Selection, { isCached = false }: ListOptions = {}): Promise<ObjectList<T>> {
    const query = { ...selectorsOf(of), ...(isCached ? { resourceVersion: '0' } : {}) }
    const text = await this.#ask(`Listing ${of.kind}`, HttpMethod.GET, await this.#pathOf(of), { query })
    const list = JSON.parse(text) as ListAnswer<T> // the caller knows the kind
    return { items: list.items ?? [], version: list.metadata.resourceVersion }
  }

  async listMetadata(of: Selection): Promise<readonly KubernetesObject[]> {
    const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
    const request = { query: selectorsOf(of), accept }
    const text = await this.#ask(`Listing ${of.kind}`, HttpMethod.GET, await this.#pathOf(of), request)
    const list = JSON.parse(text) as ListAnswer<KubernetesObject> // by `accept`
    return list.items ?? []
  }

  async remove(key: ObjectKey, { graceSeconds, withDependents }: RemoveOptions = {}): Promise<void> {
    const query = {
      ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: String(graceSeconds) }),
      ...(withDependents === true ? { propagationPolicy: 'Background' } : {}),
    }
    const what = `Removing ${key.kind} ${key.name}`
    await this.#askForOne(what, HttpMethod.DELETE, await this.#pathOf(key), { query })
  }

  async merge(key: ObjectKey, change: object): Promise<void> {
    const what = `Changing ${key.kind} ${key.name}`
    await this.#ask(what, HttpMethod.PATCH, await this.#pathOf(key), {
      query: { fieldManager },
      contentType: PatchStrategy.MergePatch,
      body: JSON.stringify(change),
    })
  }

  async evict({ namespace, name }: { readonly namespace: string; readonly name: string }): Promise<Eviction> {
    const path = await this.#pathOf({ ...kinds.pod, namespace, name })
    const metadata = { namespace, name }
    const { status, text } = await this.#exchange(
      HttpMethod.POST,
      `${path}/eviction`,
      {
        contentType: 'application/json',
        body: JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata }),
      },
      this.#deadline(),
    )
    if (status === 404) return { state: 'gone' }
    if (status === 429) return { state: 'held', why: messageIn(text) }
    if (status >= 300) throw new KubernetesRefused(`Evicting ${namespace}/${name}`, status, messageIn(text))
    return { state: 'asked' }
  }

  async watch<T>(of: Selection, version: string, signal: AbortSignal): Promise<AsyncIterable<Change<T>>> {
    const what = `Watching ${of.kind}`
    const path = await this.#pathOf(of)
    const deadline = new Deadline(this.#limits.silenceSeconds, signal)
    const query = {
      ...selectorsOf(of),
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(watchSeconds),
      resourceVersion: version,
    }
    try {
      const answer = await this.#send(HttpMethod.GET, path, { query }, deadline)
      const stream = answer.body.stream()
      if (answer.httpStatusCode === 200 && stream !== null) return this.#changes<T>(what, stream, deadline)
      const text = await this.#textOf(answer, deadline)
      throw new KubernetesRefused(what, answer.httpStatusCode, messageIn(text))
    } catch (error) {
      deadline.end()
      throw error
    }
  }

  async log({ namespace, pod, container, previous }: ContainerLog): Promise<string> {
    const path = await this.#pathOf({ apiVersion: 'v1', kind: 'Pod', namespace, name: pod })
    const query = { container, tailLines: '20', previous: String(previous) }
    const request = { query, accept: '*/*' }
    return (await this.#askForOne(`Reading the log of ${pod}`, HttpMethod.GET, `${path}/log`, request)) ?? ''
  }

  text(path: string, { limitSeconds = this.#limits.requestSeconds, signal }: TextOptions = {}) {
    return this.#exchange(HttpMethod.GET, path, { accept: '*/*' }, new Deadline(limitSeconds, signal))
  }

  close(): Promise<void> {
    return this.#config.close()
  }

  /** The path of an object, or of all objects of a kind where no name is given. */
  async #pathOf({ apiVersion, kind, namespace, name }: ObjectKind & Partial<ObjectKey>): Promise<string> {
    const { plural, isNamespaced } = await this.#resourceOf(apiVersion, kind)
    const within = namespace ?? (name === undefined ? undefined : 'default')
    const parts = [
      ...(isNamespaced && within !== undefined ? ['namespaces', within] : []),
      plural,
      ...(name === undefined ? [] : [name]),
    ]
    return [rootOf(apiVersion), ...parts.map(encodeURIComponent)].join('/')
  }

  /** How the API serves a kind. It is asked once for each `apiVersion`, and again for a kind that was not there. */
  async #resourceOf(apiVersion: string, kind: string): Promise<Resource> {
    const known = this.#resources.get(apiVersion)
    const before = (await known)?.find(it => it.kind === kind)
    if (before !== undefined) return before
    if (this.#resources.get(apiVersion) === known) {
      const asked = this.#askResources(apiVersion)
      this.#resources.set(apiVersion, asked)
      asked.catch(() => this.#resources.delete(apiVersion)) // those that wait for it report it; the next asks again
    }
    const now = (await this.#resources.get(apiVersion))?.find(it => it.kind === kind)
    if (now !== undefined) return now
    throw new KubernetesRefused(`Looking up ${kind}`, 404, `${apiVersion} has no such kind`)
  }

  async #askResources(apiVersion: string): Promise<readonly Resource[]> {
    const text = await this.#ask(`Looking up ${apiVersion}`, HttpMethod.GET, rootOf(apiVersion))
    type Answer = { resources: { name: string; kind: string; namespaced: boolean }[] } // an APIResourceList
    return (JSON.parse(text) as Answer).resources
      .filter(({ name }) => !name.includes('/')) // `pods/log` and the like
      .map(({ name, kind, namespaced }) => ({ plural: name, kind, isNamespaced: namespaced }))
  }

  /** Asks, and gives the answer's text. @throws {KubernetesRefused} when it is an error */
  async #ask(what: string, method: HttpMethod, path: string, request: Request = {}): Promise<string> {
    const { status, text } = await this.#exchange(method, path, request, this.#deadline())
    if (status >= 300) throw new KubernetesRefused(what, status, messageIn(text))
    return text
  }

  /** The same, of one object: gives nothing when there is none. */
  async #askForOne(what: string, method: HttpMethod, path: string, request: Request = {}) {
    const { status, text } = await this.#exchange(method, path, request, this.#deadline())
    if (status === 404) return undefined
    if (status >= 300) throw new KubernetesRefused(what, status, messageIn(text))
    return text
  }

  #deadline(): Deadline {
    return new Deadline(this.#limits.requestSeconds)
  }

  async #exchange(method: HttpMethod, path: string, request: Request, deadline: Deadline) {
    try {
      const answer = await this.#send(method, path, request, deadline)
      return { status: answer.httpStatusCode, text: await this.#textOf(answer, deadline) }
    } finally {
      deadline.end()
    }
  }

  /** Sends a request, and resolves when the head of its answer is there. */
  async #send(
    method: HttpMethod,
    path: string,
    request: Request,
    deadline: Deadline,
  ): Promise<ResponseContext> {
    const context = this.#server.makeRequestContext(path, method)
    for (const [name, value] of Object.entries(request.query ?? {})) context.setQueryParam(name, value)
    context.setHeaderParam('Accept', request.accept ?? 'application/json')
    if (request.contentType !== undefined) context.setHeaderParam('Content-Type', request.contentType)
    if (request.body !== undefined) context.setBody(request.body)
    context.setSignal(deadline.signal)
    await this.#config.applySecurityAuthentication(context)
    // A machine that lost its power answers nothing: behind silence there may be a connection that leads nowhere.
    deadline.onOver = () => this.#config.leave(context.getDispatcher())
    return this.#http
      .send(context)
      .toPromise()
      .catch((error: unknown) => this.#isLost(error, deadline))
  }

  #textOf(answer: ResponseContext, deadline: Deadline): Promise<string> {
    return answer.body.text().catch((error: unknown) => this.#isLost(error, deadline))
  }

  async *#changes<T>(
    what: string,
    stream: ReadableStream<Uint8Array>,
    deadline: Deadline,
  ): AsyncGenerator<Change<T>> {
    const decoder = new TextDecoder()
    let rest = ''
    try {
      for await (const chunk of stream) {
        deadline.restart()
        const text = decoder.decode(chunk, { stream: true })
        const end = text.lastIndexOf('\n')
        const lines = end < 0 ? [] : (rest + text.slice(0, end)).split('\n')
        rest = end < 0 ? rest + text : text.slice(end + 1) // what is long is only put together at its end
        if (rest.length > changeLimit) throw new KubernetesRefused(what, 200, 'a change without an end')
        for (const line of lines) yield changeIn<T>(what, line)
      }
    } catch (error) {
      if (error instanceof KubernetesRefused) throw error
      this.#isLost(error, deadline)
    } finally {
      deadline.end()
    }
  }

  /** @throws the reason of the caller's signal, or {ClusterUnreachable} with what was wrong with the connection */
  #isLost(error: unknown, deadline: Deadline): never {
    deadline.throwIfAborted()
    const reason = deadline.isOver ? `nothing for ${deadline.seconds} s` : innermost(error)
    throw new ClusterUnreachable(this.#url, reason, { cause: error })
  }
}

/** The library's kubeconfig, with one pool of connections for all requests. With HTTP/2 it holds a single one. */
class OneConnection extends KubeConfig {
  #pool: Pool | undefined
  readonly #left = new Set<Pool>()

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context)
    this.#pool ??= context.getDispatcher() // a pool that is not used holds no connection
    if (this.#pool !== undefined) context.setDispatcher(this.#pool)
  }

  /** Gives later requests new connections, if `pool` is still the one for all; those under way end by themselves. */
  leave(pool: Pool | undefined): void {
    if (pool === undefined || pool !== this.#pool) return
    this.#pool = undefined
    this.#left.add(pool)
    const closed = () => this.#left.delete(pool)
    pool.close().then(closed, closed)
  }

  async close(): Promise<void> {
    const pools = this.#pool === undefined ? [...this.#left] : [...this.#left, this.#pool]
    await Promise.all(pools.map(pool => pool.destroy()))
  }
}

type Pool = NonNullable<ReturnType<RequestContext['getDispatcher']>>

type Request = {
  readonly query?: Readonly<Record<string, string>>
  readonly accept?: string
  readonly contentType?: string
  readonly body?: string
}

/** `items` is null where there is none. */
type ListAnswer<T> = {
  readonly items: readonly T[] | null
  readonly metadata: { readonly resourceVersion: string }
}

/** How the API serves a kind: `deployments`, in namespaces. */
type Resource = { readonly plural: string; readonly kind: string; readonly isNamespaced: boolean }

function rootOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
}

function selectorsOf({ labels, fields }: Selection): Record<string, string> {
  return {
    ...(labels === undefined ? {} : { labelSelector: labels }),
    ...(fields === undefined ? {} : { fieldSelector: fields }),
  }
}

/**
 * Reads one line of a watch. An error in the stream is a Status, as that of any other refusal.
 *
 * @throws {KubernetesRefused} for an error, and for a line that cannot be read: what it would have said is lost
 */
function changeIn<T>(what: string, line: string): Change<T> {
  const change = parsed(line)
  if (!isRecord(change) || !isRecord(change['object']))
    throw new KubernetesRefused(what, 200, `no change, but ${line.slice(0, 200)}`)
  const { type, object } = change
  if (type === 'ERROR') throw new KubernetesRefused(what, Number(object['code']), String(object['message']))
  return change as Change<T> // the caller knows the kind
}

function messageIn(text: string): string {
  const status = parsed(text)
  return isRecord(status) && 'message' in status ? String(status['message']) : text.slice(0, 200)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The root cause of an error: `fetch failed` says nothing, its cause does. */
function innermost(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0])
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : innermost(error.cause)
}
