// Catalogs for tests, made of objects as if each were a file of the data directory.

import { Catalog } from '#server/inventory/catalog.ts'
import type { Kind, Objects } from '#model/kinds.ts'
import type { Template } from '#model/template.ts'
import type { Group } from '#model/group.ts'
import type { Machine } from '#model/machine.ts'
import type { Profile } from '#model/profile.ts'

/** A catalog of these objects; machines come from the store, as they do in a server. */
export function catalogOf({
  groups = [],
  profiles = [],
  templates = [],
  machines = [],
}: {
  readonly groups?: Iterable<Group>
  readonly profiles?: Iterable<Profile>
  readonly templates?: Iterable<Template>
  readonly machines?: Iterable<Machine>
}): Catalog {
  const catalog = new Catalog()
  const add = (kind: Kind, id: string, object: Objects[Kind]) =>
    catalog.setFile(kind, id, { object, version: `f${id}`, path: `${kind}s/${id}.json` })
  for (const group of groups) add('group', group.id, group)
  for (const profile of profiles) add('profile', profile.id, profile)
  for (const template of templates) add('template', template.id, template)
  let position = 0
  for (const machine of machines) {
    const stored = {
      kind: 'machine',
      id: machine.name,
      object: machine,
      revision: 1,
      at: 0,
      who: 'test',
    } as const
    catalog.setStored('machine', machine.name, { ...stored, position: (position += 1) })
  }
  return catalog
}
