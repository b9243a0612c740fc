// The few calls of the Kubernetes API that the chart stage makes, on one kept connection. Plain HTTPS: a kubectl
// process costs more processor time for one question than this does for a whole stage of them, and so does loading the
// official client, which the bring-up uses (docs/design.md says why there are two).

import { readFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { parse } from 'yaml'
import { ClusterUnreachable, KubernetesRefused } from '../errors.ts'

/** An object as the API gives and takes it. */
export type ApiObject = {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly labels?: Readonly<Record<string, string>>
  }
}

/** A change of one object. */
export type Change<T> = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: T
}

/** The API of one cluster. Every call but `watch` ends within 15 seconds, with an answer, a KubernetesRefused or a ClusterUnreachable. */
export interface KubernetesApi {
  /** Gives the object or the list at `path`, or nothing when there is none. */
  get<T>(path: string): Promise<T | undefined>
  /** Gives the names and labels at `path`, without what the objects hold. */
  metadata(path: string): Promise<ApiObject[]>
  /** Makes the object at `path` as told, by server-side apply. */
  apply(path: string, object: object): Promise<void>
  remove(path: string): Promise<void>
  /** Follows what changes at `path` after `version`, until the API ends it (which it does within minutes). */
  watch<T>(
    path: string,
    version: string,
    tell: (change: Change<T>) => void,
    signal: AbortSignal,
  ): Promise<void>
  /** The end of a container's log. */
  log(namespace: string, pod: string, container: string, previous: boolean): Promise<string>
  close(): void
}

/** Connects with a kubeconfig that holds client certificates in itself, as ours does. Nothing is sent yet. */
export async function connectApi(kubeconfigPath: string): Promise<KubernetesApi> {
  const { server, ...tls } = credentialsOf(parse(await readFile(kubeconfigPath, 'utf8')))
  const agent = new Agent({ keepAlive: true, maxSockets: 6, ...tls })
  const watchers = new Agent({ keepAlive: true, ...tls }) // each holds its connection
  const ask = (method: string, path: string, options: { accept?: string; body?: object } = {}) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const headers = {
        accept: options.accept ?? 'application/json',
        ...(options.body ? { 'content-type': 'application/apply-patch+yaml' } : {}),
      }
      const signal = AbortSignal.timeout(15_000)
      const lost = (cause: Error) =>
        reject(new ClusterUnreachable(server, signal.aborted ? 'nothing for 15 s' : cause.message, { cause }))
      const asked = request(new URL(path, server), { method, agent, headers, signal }, answer => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => (text += chunk))
        answer.on('error', lost)
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
      })
      asked.on('error', lost)
      asked.end(options.body && JSON.stringify(options.body))
    })
  const answered = async (method: string, path: string, options: { accept?: string; body?: object } = {}) => {
    const { status, text } = await ask(method, path, options)
    if (status === 404 && method !== 'PATCH') return undefined
    if (status >= 300) throw new KubernetesRefused(`${method} ${path}`, status, messageIn(text))
    return text
  }
  return {
    async get<T>(path: string) {
      const text = await answered('GET', path)
      return text === undefined ? undefined : (JSON.parse(text) as T) // the caller knows what lies at its path
    },
    async metadata(path) {
      const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
      const text = await answered('GET', path, { accept })
      if (text === undefined) return []
      const { items } = JSON.parse(text) as { items: ApiObject[] | null } // by the accept header
      return items ?? [] // null when there is none
    },
    async apply(path, object) {
      await answered('PATCH', `${path}?fieldManager=pilotlight&force=true`, { body: object })
    },
    async remove(path) {
      await answered('DELETE', path)
    },
    watch(path, version, tell, signal) {
      const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=240&resourceVersion=${version}`
      return new Promise((resolve, reject) => {
        const asked = request(new URL(`${path}?${query}`, server), { agent: watchers, signal }, answer => {
          let rest = ''
          answer.setEncoding('utf8')
          answer.on('data', (chunk: string) => {
            if (answer.statusCode !== 200) return
            const lines = (rest + chunk).split('\n')
            rest = lines.pop() ?? ''
            for (const line of lines) tell(JSON.parse(line)) // the caller knows what lies at its path
          })
          answer.on('error', reject)
          answer.on('end', () => {
            if (answer.statusCode === 200) resolve()
            else reject(new KubernetesRefused(`watch ${path}`, answer.statusCode ?? 0, 'no watch'))
          })
        })
        asked.setTimeout(watchSilenceMs, () => asked.destroy(new Error(`the watch of ${path} fell silent`)))
        asked.on('error', reject)
        asked.end()
      })
    },
    async log(namespace, pod, container, previous) {
      const query = `container=${container}&tailLines=20&previous=${previous}`
      const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log?${query}`
      return (await answered('GET', path, { accept: '*/*' })) ?? ''
    },
    close() {
      agent.destroy()
      watchers.destroy()
    },
  }
}

/** A watch says at least a bookmark a minute; after two it is taken for dead, in milliseconds. */
const watchSilenceMs = 130_000

type Kubeconfig = {
  readonly clusters?: readonly {
    readonly cluster?: { readonly server?: string; readonly 'certificate-authority-data'?: string }
  }[]
  readonly users?: readonly {
    readonly user?: { readonly 'client-certificate-data'?: string; readonly 'client-key-data'?: string }
  }[]
}

function credentialsOf(config: unknown) {
  const { clusters, users } = (config ?? {}) as Kubeconfig // every field is looked for
  const cluster = clusters?.[0]?.cluster
  const user = users?.[0]?.user
  return {
    server: cluster?.server ?? 'https://127.0.0.1:6443',
    ca: decoded(cluster?.['certificate-authority-data'], 'certificate-authority-data'),
    cert: decoded(user?.['client-certificate-data'], 'client-certificate-data'),
    key: decoded(user?.['client-key-data'], 'client-key-data'),
  }
}

function decoded(base64: string | undefined, field: string): string {
  if (base64 === undefined) throw new KubernetesRefused('kubeconfig', 0, `it has no ${field}`)
  return Buffer.from(base64, 'base64').toString()
}

function messageIn(text: string): string {
  try {
    const status: unknown = JSON.parse(text)
    if (typeof status === 'object' && status !== null && 'message' in status) return String(status.message)
  } catch {
    // not JSON: shown as it is
  }
  return text.slice(0, 200)
}
