// The way to a cluster. Everything that talks to one does so by this client. It is built on the official library, which
// `library.ts` alone imports: loading it takes a third of a second of a processor, so the first `connect` loads it
// (docs/design.md says when that is).

import type { KubernetesClient, Limits } from './client.ts'

const usualLimits: Limits = { requestSeconds: 15, silenceSeconds: 130 }

/**
 * Connects with a kubeconfig (its text). Nothing is sent yet.
 *
 * @throws {UnfitKubeconfig} when it leads to no cluster
 */
export async function connect(kubeconfig: string, limits = usualLimits): Promise<KubernetesClient> {
  const { LibraryClient } = await import('./library.ts')
  return new LibraryClient(kubeconfig, limits)
}

/**
 * Asks whether the API is ready: `ok`, or its own text about what is missing.
 *
 * @throws {ClusterUnreachable} while nothing answers there
 */
export async function askReadiness(client: KubernetesClient, signal?: AbortSignal): Promise<string> {
  const options = { limitSeconds: 5, ...(signal === undefined ? {} : { signal }) }
  const { status, text } = await client.text('/readyz', options)
  if (status === 200) return 'ok'
  const failed = [...text.matchAll(/^\[-\](\S+)/gm)].map(match => match[1])
  if (failed.length === 0) return `answers ${status}: ${text.slice(0, 120)}`
  const more = failed.length > 2 ? ` and ${failed.length - 2} more` : ''
  return `not ready: ${failed.slice(0, 2).join(', ')}${more}`
}
