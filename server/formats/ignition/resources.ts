// Where a config names something to fetch.

import type { Path } from './tree.ts'
import type { IgnitionConfig, Resource } from './types.ts'

/** A resource, and the way to it. */
export type PlacedResource = { readonly path: Path; readonly resource: Resource }

/** Every place of a config that names something to fetch. */
export function resourcesOf(config: IgnitionConfig): readonly PlacedResource[] {
  const { ignition, storage } = config
  return [
    ...list(['ignition', 'config', 'merge'], ignition?.config?.merge),
    ...one(['ignition', 'config', 'replace'], ignition?.config?.replace),
    ...list(
      ['ignition', 'security', 'tls', 'certificateAuthorities'],
      ignition?.security?.tls?.certificateAuthorities,
    ),
    ...(storage?.files ?? []).flatMap((file, index) => {
      const path = ['storage', 'files', index]
      return [...list([...path, 'append'], file.append), ...one([...path, 'contents'], file.contents)]
    }),
    ...(storage?.luks ?? []).flatMap((luks, index) =>
      one(['storage', 'luks', index, 'keyFile'], luks.keyFile),
    ),
  ]
}

function list(path: Path, resources: readonly Resource[] = []): PlacedResource[] {
  return resources.map((resource, index) => ({ path: [...path, index], resource }))
}

function one(path: Path, resource: Resource | undefined): PlacedResource[] {
  return resource === undefined ? [] : [{ path, resource }]
}
