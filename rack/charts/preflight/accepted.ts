// Whether the API server would take each object of a plan: it is sent all of them in a server-side dry run, which stores nothing.

import type { KubernetesClient } from '../../kubernetes/client.ts'
import { KubernetesRefused } from '../../kubernetes/errors.ts'
import { kinds, type Manifest } from '../../kubernetes/objects.ts'
import type { PreflightProblem } from '../errors.ts'
import { mapAt, type Values } from '../values/values.ts'
import { nameOf, titleOf, type ReleaseObjects } from './rendered.ts'

/** How many objects are checked at once. */
const atOnce = 8

/**
 * What the API server says against the objects: a name or a port that cannot be, a kind or a namespace that is not there. Objects
 * that are there already count as taken, and objects of kinds that the plan itself defines are not looked at.
 *
 * @throws {KubernetesRefused} when the server is too busy to check, and {ClusterUnreachable}
 */
export async function checkAccepted(
  api: KubernetesClient,
  namespace: string,
  rendered: readonly ReleaseObjects[],
): Promise<PreflightProblem[]> {
  const all = rendered.flatMap(({ release, objects }) => objects.map(object => ({ release, object })))
  const defined = new Set(all.flatMap(({ object }) => definedKind(object)))
  const made = new Set(all.flatMap(({ object }) => (object['kind'] === 'Namespace' ? [nameOf(object)] : [])))
  // Before the first run the plan's namespace is not there; any other checks its objects as well.
  const isThere = (await api.read({ ...kinds.namespace, name: namespace })) !== undefined
  const services = await servicesOf(api, namespace)
  const problems: PreflightProblem[][] = all.map(() => [])
  const left = all.entries()
  const work = async () => {
    for (const [index, { release, object }] of left) {
      if (defined.has(kindOf(object))) continue
      const own = mapAt(object, 'metadata')['namespace']
      const wanted = typeof own === 'string' ? own : namespace
      if (made.has(wanted)) continue
      const refusal = await refusalOf(api, object, wanted === namespace && !isThere ? 'default' : wanted)
      if (refusal === undefined || (isAllocated(refusal) && services.has(nameOf(object)))) continue
      problems[index] = [
        {
          release,
          what: `the API server does not take ${titleOf(object)}: ${refusal}`,
          remedy: `Correct what it names in openstack.values.${release}.`,
        },
      ]
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return problems.flat()
}

async function refusalOf(
  api: KubernetesClient,
  object: Values,
  namespace: string,
): Promise<string | undefined> {
  try {
    const metadata = { ...mapAt(object, 'metadata'), namespace }
    await api.dryRunCreate({ ...object, metadata } as Manifest) // the API says what it lacks
    return undefined
  } catch (error) {
    // One that is too busy, or has a fault of its own, says nothing of the object.
    if (!(error instanceof KubernetesRefused) || error.status === 429 || error.status >= 500) throw error
    return error.status === 409 ? undefined : error.reason
  }
}

/** A port or an address that a Service has: its own, if the Service is there. */
function isAllocated(refusal: string): boolean {
  return refusal.includes('already allocated')
}

async function servicesOf(api: KubernetesClient, namespace: string): Promise<ReadonlySet<string>> {
  const services = await api.listMetadata({ ...kinds.service, namespace })
  return new Set(services.map(({ metadata }) => metadata.name))
}

/** The kind that a CustomResourceDefinition defines, in each of its versions. */
function definedKind(object: Values): string[] {
  if (object['kind'] !== 'CustomResourceDefinition') return []
  const { group, versions } = mapAt(object, 'spec')
  const { kind } = mapAt(object, 'spec', 'names')
  const names = Array.isArray(versions) ? (versions as Values[]).map(it => it['name']) : []
  return names.map(name => `${String(group)}/${String(name)} ${String(kind)}`)
}

function kindOf(object: Values): string {
  return `${String(object['apiVersion'])} ${String(object['kind'])}`
}
