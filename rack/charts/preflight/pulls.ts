// Whether machines can get the images that pods want. A machine has those of its own live image; what else it pulls comes from
// where the site says that machines reach. Pure.

import { IMAGE_REGISTRY } from '#images/references.ts'
import { isRecord } from '#model/record.ts'
import type { PreflightProblem } from '../errors.ts'
import { layersOf, type ReleasePlan } from '../plan/plan.ts'
import { nodesFor, type Node, type PodGroup } from './capacity.ts'

/** What a site calls the registry of images that name none: each container runtime has its own. */
const DEFAULT_REGISTRY = 'default'

/**
 * The images of pods that no machine has and that come from no registry of `reached`, a problem for each release. Images that
 * the site's own values name are taken to be reached. With `nodes`, an image that all nodes for its pods have is there.
 */
export function checkPulls(
  releases: readonly Pick<ReleasePlan, 'name' | 'layers'>[],
  groups: readonly PodGroup[],
  reached: readonly string[],
  nodes: readonly Node[] = [],
): PreflightProblem[] {
  return releases.flatMap(({ name: release, layers }) => {
    const chosen = new Set(textsIn(layersOf({ layers }).site.values['images']))
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
    (status?.images ?? []).some(({ names = [] }) => names.some(name => isNameOf(name, image)))
  return nodes.length > 0 && nodes.every(has)
}

function registryOf(image: string): string {
  return wholeName(image).split('/')[0] ?? DEFAULT_REGISTRY
}

/** Whether a node's name of an image, which has the registry, is what a pod means by `image`, which may have none. */
function isNameOf(name: string, image: string): boolean {
  if (name === image || hasRegistry(image)) return name === image
  const path = hasRegistry(name) ? name.slice(name.indexOf('/') + 1) : name
  return path === image || path === `library/${image}`
}

function wholeName(image: string): string {
  return hasRegistry(image) ? image : `${DEFAULT_REGISTRY}/${image}`
}

/** As a container runtime reads a name: its first part is a registry when it has a dot or a port. */
function hasRegistry(image: string): boolean {
  const [first = '', ...rest] = image.split('/')
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
}

/** Every text in values. */
function textsIn(values: unknown): string[] {
  if (typeof values === 'string') return [values]
  if (Array.isArray(values)) return values.flatMap(textsIn)
  return isRecord(values) ? Object.values(values).flatMap(textsIn) : []
}
