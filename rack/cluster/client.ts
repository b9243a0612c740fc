// The cluster's API as the administrator sees it: apply, read, list, on one kept connection. A thin layer over
// the official client, which is loaded only here: it takes longer to load than the rest of Pilotlight together.

import { AsyncLocalStorage } from 'node:async_hooks'
import { request } from 'node:https'
import type { RequestContext } from '@kubernetes/client-node'
import { ApiRefused } from './errors.ts'
import type { Manifest } from './manifests/object.ts'
import type { Pki } from './pki.ts'

/** What names an object. */
export type ObjectKey = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string
}

/** The API of one cluster. Every request ends within `requestSeconds`, with an answer or an error. */
export interface ClusterClient {
  /**
   * Makes the object as `manifest` says, by server-side apply: fields that others own and we do not set stay.
   *
   * @throws {ApiRefused} when the server answers with an error
   */
  apply(manifest: Manifest): Promise<Manifest>
  /** Gives the object, or nothing when there is none. */
  read<T>(key: ObjectKey): Promise<T | undefined>
  /** Gives the objects of a kind, in one namespace or in all, that carry the labels of `selector`. */
  list<T>(apiVersion: string, kind: string, where?: { namespace?: string; selector?: string }): Promise<T[]>
  /** Closes the connection. */
  close(): Promise<void>
}

/** Who owns the fields that we apply. */
const fieldManager = 'pilotlight'

const requestSeconds = 15

/** Connects with a kubeconfig (its text). Nothing is sent yet. */
export async function connect(kubeconfig: string): Promise<ClusterClient> {
  const library = await import('@kubernetes/client-node')
  const config = new library.KubeConfig()
  config.loadFromString(kubeconfig)
  const server = config.getCurrentCluster()?.server ?? ''
  // The library leaves out the fields that its models do not know. What is written is what has to be sent.
  const written = new AsyncLocalStorage<Manifest>()
  const connection = new Connection(context => config.applySecurityAuthentication(context))
  const configuration = library.createConfiguration({
    baseServer: new library.ServerConfiguration(server, {}),
    authMethods: { default: connection },
    promiseMiddleware: [
      {
        pre: context => {
          context.setSignal(AbortSignal.timeout(requestSeconds * 1000))
          const manifest = context.getHttpMethod() === library.HttpMethod.PATCH && written.getStore()
          if (manifest) context.setBody(JSON.stringify(manifest))
          return Promise.resolve(context)
        },
        post: response => Promise.resolve(response),
      },
    ],
  })
  const api = new library.KubernetesObjectApi(configuration)
  return {
    async apply(manifest) {
      const strategy = library.PatchStrategy.ServerSideApply
      const answer = written.run(manifest, () =>
        api.patch(manifest, undefined, undefined, fieldManager, true, strategy),
      )
      const applied: unknown = await told(`Applying ${manifest.kind} ${manifest.metadata.name}`, answer)
      return applied as Manifest // the answer to an apply is the object
    },
    async read<T>({ apiVersion, kind, name, namespace }: ObjectKey) {
      const metadata = { name, ...(namespace === undefined ? {} : { namespace }) }
      try {
        return (await told(`Reading ${kind} ${name}`, api.read({ apiVersion, kind, metadata }))) as T
      } catch (error) {
        if (error instanceof ApiRefused && error.status === 404) return undefined
        throw error
      }
    },
    async list<T>(apiVersion: string, kind: string, where: { namespace?: string; selector?: string } = {}) {
      const none = undefined
      const answer = api.list(apiVersion, kind, where.namespace, none, none, none, none, where.selector)
      return (await told(`Listing ${kind}`, answer)).items as T[]
    },
    close: () => connection.close(),
  }
}

/**
 * Asks the API server at `server` whether it is ready: `ok`, or what is missing in its own words. Light enough to
 * be asked several times a second from the moment of power-on.
 *
 * @throws the connection's error while nobody answers there
 */
export async function readiness(server: string, pki: Pki, signal?: AbortSignal): Promise<string> {
  const { status, text } = await getText(server, '/readyz', pki, signal)
  return status === 200 ? 'ok' : notReady(status, text)
}

/**
 * Gets one path of the API as text, on a connection of its own, as this run's administrator.
 *
 * @throws the connection's error, or the abort after five seconds
 */
export function getText(
  server: string,
  path: string,
  pki: Pki,
  signal?: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  const { certificate: cert, key } = pki.admin
  const options = { ca: pki.authorities.ca.certificate, cert, key, agent: false, signal: limited(5, signal) }
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, server), options, answer => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => (text += chunk))
      answer.on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
    })
    asked.on('error', reject)
    asked.end()
  })
}

function notReady(status: number, text: string): string {
  const failed = [...text.matchAll(/^\[-\](\S+)/gm)].map(match => match[1])
  if (failed.length === 0) return `answers ${status}: ${text.slice(0, 120)}`
  const more = failed.length > 2 ? ` and ${failed.length - 2} more` : ''
  return `not ready: ${failed.slice(0, 2).join(', ')}${more}`
}

function limited(seconds: number, signal: AbortSignal | undefined): AbortSignal {
  const limit = AbortSignal.timeout(seconds * 1000)
  return signal === undefined ? limit : AbortSignal.any([limit, signal])
}

/** The library would open a connection for every request; this hands the first one's on to all others. */
class Connection {
  readonly #authenticate: (context: RequestContext) => Promise<void>
  #first: Promise<RequestContext> | undefined
  constructor(authenticate: (context: RequestContext) => Promise<void>) {
    this.#authenticate = authenticate
  }

  getName(): string {
    return 'one connection'
  }

  async applySecurityAuthentication(context: RequestContext): Promise<void> {
    this.#first ??= this.#authenticate(context).then(() => context)
    const dispatcher = (await this.#first).getDispatcher()
    if (dispatcher !== undefined) context.setDispatcher(dispatcher)
  }

  async close(): Promise<void> {
    await (await this.#first)?.getDispatcher()?.close()
  }
}

async function told<T>(what: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw refusal(what, error)
  }
}

function refusal(what: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number') return error
  const body: unknown = 'body' in error ? error.body : undefined
  return new ApiRefused(what, error.code, wordsOf(body), { cause: error })
}

function wordsOf(body: unknown): string {
  const status: unknown = typeof body === 'string' ? parsed(body) : body
  if (typeof status === 'object' && status !== null && 'message' in status) return String(status.message)
  return String(body).slice(0, 200)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
