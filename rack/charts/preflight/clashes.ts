// Names and node ports of a plan: what two objects cannot both have, Helm and the API refuse of the second one, after the first is
// installed. Pure.

import type { PreflightProblem } from '../errors.ts'
import { mapAt, type Values } from '../values/values.ts'
import { isRecord } from '#model/record.ts'
import { valuesOf, type ChartPlan } from '../plan/plan.ts'
import { mapsIn, nameOf, titleOf, type ReleaseObjects } from './rendered.ts'

/**
 * Ports that the API server gives services on nodes (the default of its --service-node-port-range); ignition/firewall.nft.njk
 * opens them.
 */
const NODE_PORT_RANGE = { first: 30_000, last: 32_767 }

/** Objects of two releases with one name, node ports that two services take, and such as no service can have. */
export function checkClashes(namespace: string, rendered: readonly ReleaseObjects[]): PreflightProblem[] {
  const all = rendered.flatMap(({ release, objects }) => objects.map(object => ({ release, object })))
  return [
    ...repeatsOf(all, ({ object }) => [[keyOf(object, namespace), titleOf(object)]])
      .filter(({ now, before }) => now.release !== before.release)
      .map(({ now, before, what }) => ({
        release: now.release,
        what: `${what} is made by release ${before.release} too`,
        remedy: `Switch one of them off: openstack.values.${now.release}.manifests, or that of ${before.release}.`,
      })),
    ...repeatsOf(all, ({ object }) =>
      nodePortsOf(object).map(({ port, protocol }) => [`${protocol} ${port}`, `node port ${port}`] as const),
    ).map(({ now, before, what }) => ({
      release: now.release,
      what: `${titleOf(now.object)} takes ${what}, which ${titleOf(before.object)} of release ${before.release} takes too`,
      remedy: `Give one of them another port: openstack.values.${now.release}.network.`,
    })),
    // The API server does not look at this when it is only asked to try.
    ...all.flatMap(({ release, object }) =>
      nodePortsOf(object)
        .filter(({ port }) => !isNodePort(port))
        .map(({ port }) => ({
          release,
          what: `${titleOf(object)} takes node port ${port}; node ports are ${NODE_PORT_RANGE.first} to ${NODE_PORT_RANGE.last}`,
          remedy: `Give it one of those: openstack.values.${release}.network.`,
        })),
    ),
  ]
}

/**
 * Node ports that the values of openstack-helm give to the catalog, `endpoints.SERVICE.port.NAME.public` of a public host, and that no
 * service of the plan has: clients would be sent where nothing listens.
 */
export function checkPublicPorts(
  { releases }: Pick<ChartPlan, 'releases'>,
  rendered: readonly ReleaseObjects[],
): PreflightProblem[] {
  const open = new Set(
    rendered.flatMap(({ objects }) => objects.flatMap(nodePortsOf).map(({ port }) => port)),
  )
  return releases.flatMap(release => {
    const endpoints = Object.entries(mapAt(valuesOf(release), 'endpoints'))
    return endpoints.flatMap(([service, endpoint]) => {
      if (!isRecord(endpoint) || mapAt(endpoint, 'host_fqdn_override', 'public')['host'] === undefined)
        return []
      return Object.entries(mapAt(endpoint, 'port')).flatMap(([name, of]) => {
        const port = isRecord(of) ? of['public'] : undefined
        if (typeof port !== 'number' || !isNodePort(port) || open.has(port)) return []
        return [
          {
            release: release.name,
            what: `the catalog sends clients of ${service} to node port ${port}, which no service of the plan has`,
            remedy: `Switch its node port on (openstack.values.${release.name}.network), or change endpoints.${service}.port.${name}.public.`,
          },
        ]
      })
    })
  })
}

type Owned = { readonly release: string; readonly object: Values }

/** Of each key that two objects have: the first of them and the later one. */
function repeatsOf(
  all: readonly Owned[],
  keysOf: (one: Owned) => readonly (readonly [key: string, what: string])[],
): { now: Owned; before: Owned; what: string }[] {
  const seen = new Map<string, Owned>()
  return all.flatMap(now =>
    keysOf(now).flatMap(([key, what]) => {
      const before = seen.get(key)
      if (before === undefined) seen.set(key, now)
      return before === undefined || before.object === now.object ? [] : [{ now, before, what }]
    }),
  )
}

function keyOf(object: Values, namespace: string): string {
  const own = mapAt(object, 'metadata')['namespace']
  const group = String(object['apiVersion']).replace(/\/?v\d[^/]*$/, '')
  return [group, object['kind'], typeof own === 'string' ? own : namespace, nameOf(object)].join(' ')
}

function isNodePort(port: number): boolean {
  return port >= NODE_PORT_RANGE.first && port <= NODE_PORT_RANGE.last
}

function nodePortsOf(object: Values): { port: number; protocol: string }[] {
  if (object['kind'] !== 'Service') return []
  return mapsIn(mapAt(object, 'spec')['ports']).flatMap(({ nodePort, protocol = 'TCP' }) =>
    typeof nodePort === 'number' && nodePort !== 0 ? [{ port: nodePort, protocol: String(protocol) }] : [],
  )
}
