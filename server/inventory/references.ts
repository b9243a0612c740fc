// What an object names that is not there: no reason to refuse it, since the rest may come in any order, but worth a word.

import type { Fault } from '#model/fault.ts'
import { idOf, type KindedObject } from '#model/kinds.ts'
import type { Catalog } from './catalog.ts'
import { fileNamed, profileNamed } from './file-names.ts'

/** The references of an object that lead nowhere, neither in the catalog nor to what is brought along with it. */
export function referenceWarnings(
  it: KindedObject,
  catalog: Catalog,
  brought: readonly KindedObject[],
): Fault[] {
  const isThere = (kind: 'profile' | 'template', id: string) =>
    catalog.entry(kind, id) !== undefined || brought.some(other => other.kind === kind && idOf(other) === id)
  if (it.kind === 'group') {
    const { profile } = it.object
    if (isThere('profile', profileNamed(profile))) return []
    return [{ pointer: '/profile', detail: `there is no profile "${profile}": its machines get a 404` }]
  }
  if (it.kind !== 'profile') return []
  const { ignition_id, generic_id, cloud_id } = it.object
  return Object.entries({ ignition_id, generic_id, cloud_id }).flatMap(([field, id]) => {
    if (id === undefined) return []
    const template = fileNamed(field.split('_')[0] ?? '', id)
    if (isThere('template', template)) return []
    return [{ pointer: `/${field}`, detail: `there is no ${template}: its machines get a 404` }]
  })
}
