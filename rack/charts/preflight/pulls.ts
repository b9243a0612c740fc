// Whether machines can get the images that pods want. A machine has those of its own live image; what else it pulls comes from
// where the site says that machines reach. Pure.

import { IMAGE_REGISTRY } from '#images/references.ts'
import { isRecord } from '#model/record.ts'
import type { ReleasePlan } from '../plan/plan.ts'
import { nodesFor, type Node, type PlacementProblem, type PodGroup } from './capacity.ts'

/** Where images without a registry in their name come from. */
const DEFAULT_REGISTRY = 'docker.io'

/**
 * The images of pods that no machine has and that come from no registry of `reached`, a problem for each release. Images that
 * the site's own values name are taken to be reached. With `nodes`, an image that all nodes for its pods have is there.
 */
export function checkPulls(
  releases: readonly Pick<ReleasePlan, 'name' | 'layers'>[],
  groups: readonly PodGroup[],
  reached: readonly string[],
  nodes: readonly Node[] = [],
): PlacementProblem[] {
  return releases.flatMap(({ name: release, layers }) => {
    const chosen = new Set(textsIn(layers.at(-1)?.values['images'])) // the site's layer is the last
    const wanted = groups
      .filter(group => group.release === release)
      .flatMap(group => group.images.map(image => ({ group, image })))
      .filter(({ image }) => !image.startsWith(`${IMAGE_REGISTRY}/`) && !chosen.has(image))
      .filter(({ image }) => !reached.some(it => wholeName(image).startsWith(`${it.replace(/\/$/, '')}/`)))
      .filter(({ group, image }) => !isOnAll(image, nodesFor(group, nodes)))
    const [first] = wanted
    if (first === undefined) return []
    const images = [...new Set(wanted.map(it => it.image))]
    const registries = [...new Set(images.map(registryOf))]
    const more = images.length === 1 ? '' : `, and ${images.length - 1} more`
    const reach = reached.length === 0 ? 'the site names no registry' : `the site names ${reached.join(', ')}`
    return [
      {
        release,
        what: `${first.group.workload} wants the image ${first.image}${more}: no machine has ${images.length === 1 ? 'it' : 'them'}, and of those that machines pull from ${reach}`,
        remedy: `Where machines reach ${registries.join(' and ')}, write it in the site file: openstack: { registries: [${registries.join(', ')}] }. Otherwise name images that they reach in openstack.values.${release}.images.tags, or apply only other releases: pilotlight charts apply SITE RELEASE...`,
      },
    ]
  })
}

/** Says whether there are such nodes, and each reports the image. */
function isOnAll(image: string, nodes: readonly Node[]): boolean {
  const has = ({ status }: Node) =>
    (status?.images ?? []).some(({ names = [] }) => names.some(name => wholeName(name) === wholeName(image)))
  return nodes.length > 0 && nodes.every(has)
}

function registryOf(image: string): string {
  return wholeName(image).split('/')[0] ?? DEFAULT_REGISTRY
}

/** The name with its registry, as a container runtime reads it: the first part is one when it has a dot or a port. */
function wholeName(image: string): string {
  const [first = '', ...rest] = image.split('/')
  if (rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')) return image
  return `${DEFAULT_REGISTRY}/${rest.length === 0 ? 'library/' : ''}${image}`
}

/** Every text in values. */
function textsIn(values: unknown): string[] {
  if (typeof values === 'string') return [values]
  if (Array.isArray(values)) return values.flatMap(textsIn)
  return isRecord(values) ? Object.values(values).flatMap(textsIn) : []
}
