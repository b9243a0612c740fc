// Removing what verifications made. Everything carries the name of its run, so what is to go is found by looking: after a
// run, after a failure, and after a run that was killed and whose memory is gone.

import type { OpenstackClient } from '../client.ts'
import type { ServiceType } from '../catalog.ts'
import { CloudRefused } from '../errors.ts'
import type { Check } from './check.ts'

/** What the name of everything that a verification makes begins with. */
export const NAME_PREFIX = 'pilotlight-verify-'

/** A tag on its images: the only list that can be long, so Glance is asked for less of it. */
export const IMAGE_TAG = 'pilotlight-verify'

/** The kinds of things, so that what others need comes after what needs it. */
export const kinds = [
  'server',
  'floating IP',
  'router',
  'port',
  'network',
  'security group',
  'flavor',
  'image',
] as const

export type Kind = (typeof kinds)[number]

/** A thing of some verification that is there. */
export type Thing = { readonly kind: Kind; readonly id: string; readonly name: string }

// What must be gone before a kind can go: the services refuse, or would leave a half.
const after: Readonly<Record<Kind, readonly Kind[]>> = {
  server: [],
  'floating IP': [],
  router: ['floating IP'],
  port: ['server', 'floating IP'],
  network: ['server', 'router', 'port'],
  'security group': ['server', 'port'],
  flavor: ['server'],
  image: ['server'],
}

/** The things that nothing else in the list depends on: they can be removed first. */
export function removableNow(things: readonly Thing[]): Thing[] {
  const there = new Set(things.map(({ kind }) => kind))
  return things.filter(({ kind }) => !after[kind].some(it => there.has(it)))
}

/**
 * Removes everything of verifications, looks until nothing of it is left, and gives how many things were removed. Only
 * `services` are asked: those that answered, since nothing can have been made with another.
 *
 * @throws {WaitedTooLong} naming what is left
 */
export async function removeThings(
  cloud: OpenstackClient,
  services: ReadonlySet<ServiceType>,
  check: Check,
  limitSeconds: number,
): Promise<number> {
  const seen = new Set<string>()
  await check.until('everything is removed', limitSeconds, async () => {
    const things = await findThings(cloud, services)
    if (things.length === 0) return { value: true }
    for (const { id } of things) seen.add(id)
    await Promise.all(removableNow(things).map(thing => remove(cloud, thing).catch(unlessInUse)))
    return { not: `there is still ${things.map(({ kind, name }) => `${kind} ${name}`).join(', ')}` }
  })
  return seen.size
}

/** Everything of verifications that these services have. */
async function findThings(cloud: OpenstackClient, services: ReadonlySet<ServiceType>): Promise<Thing[]> {
  const lists = kinds.filter(kind => services.has(places[kind].service)).map(kind => list(cloud, kind))
  return (await Promise.all(lists)).flat()
}

type Place = {
  readonly service: ServiceType
  readonly path: string
  /** The key of the list in the answer. */
  readonly key: string
  /** Narrows the list. */
  readonly query: string
}

const places: Readonly<Record<Kind, Place>> = {
  server: { service: 'compute', path: '/servers', key: 'servers', query: `name=${NAME_PREFIX}` },
  'floating IP': {
    service: 'network',
    path: '/floatingips',
    key: 'floatingips',
    query: 'fields=id&fields=description',
  },
  router: { service: 'network', path: '/routers', key: 'routers', query: 'fields=id&fields=name' },
  port: { service: 'network', path: '/ports', key: 'ports', query: 'fields=id&fields=name' },
  network: { service: 'network', path: '/networks', key: 'networks', query: 'fields=id&fields=name' },
  'security group': {
    service: 'network',
    path: '/security-groups',
    key: 'security_groups',
    query: 'fields=id&fields=name',
  },
  flavor: { service: 'compute', path: '/flavors', key: 'flavors', query: 'is_public=None' },
  image: { service: 'image', path: '/images', key: 'images', query: `tag=${IMAGE_TAG}` },
}

type Listed = { readonly id: string; readonly name?: string; readonly description?: string }

async function list(cloud: OpenstackClient, kind: Kind): Promise<Thing[]> {
  const { service, path, key, query } = places[kind]
  const answer = await cloud.get<Record<string, Listed[]>>(service, `${path}?${query}`)
  return (answer[key] ?? [])
    .map(({ id, name, description }) => ({ kind, id, name: name ?? description ?? '' })) // a floating IP has no name
    .filter(({ name }) => name.startsWith(NAME_PREFIX))
}

async function remove(cloud: OpenstackClient, { kind, id }: Thing): Promise<void> {
  if (kind === 'router') await unplug(cloud, id)
  const { service, path } = places[kind]
  await cloud.remove(service, `${path}/${id}`)
}

async function unplug(cloud: OpenstackClient, router: string): Promise<void> {
  const path = `/ports?device_id=${router}&device_owner=network:router_interface&fields=id`
  const { ports } = await cloud.get<{ ports: { id: string }[] }>('network', path)
  for (const { id } of ports)
    await cloud.put('network', `/routers/${router}/remove_router_interface`, { port_id: id })
}

/** Something that is being removed still holds this; the next look shows when it is gone. */
function unlessInUse(error: unknown): void {
  if (!(error instanceof CloudRefused && [404, 409].includes(error.status))) throw error
}
