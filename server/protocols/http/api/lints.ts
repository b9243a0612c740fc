// What the linter says of changes before they are made.

import { idOf } from '#model/kinds.ts'
import type { Change } from '../../../inventory/changes.ts'
import { lintCatalog } from '../../../boot/lint/catalog.ts'
import type { LintFinding } from '../../../boot/lint/findings.ts'
import type { Sources } from '../../../boot/render/answers.ts'

/** What the linter needs of the service. */
export type LintNeeds = {
  readonly sources: () => Sources
  readonly assetsPath: string | undefined
}

/** Findings on the objects of `changes`, and on the profiles that use their templates, as the catalog has them now. */
export function lintsOf(changes: readonly Change[], { sources, assetsPath }: LintNeeds): LintFinding[] {
  const now = sources()
  const put = changes.filter(change => change.action === 'put')
  const namesOf = (kind: Change['kind']) => put.filter(change => change.kind === kind).map(idOf)
  const templates = new Set(namesOf('template'))
  const using = now.catalog.entries('profile').filter(({ object: { ignition_id, generic_id, cloud_id } }) => {
    const uses = [`ignition/${ignition_id}`, `generic/${generic_id}`, `cloud/${cloud_id}`]
    return templates.size > 0 && uses.some(name => templates.has(name))
  })
  const profiles = new Set([...namesOf('profile'), ...using.map(({ id }) => id)])
  return lintCatalog(now, { groups: namesOf('group'), profiles: [...profiles] }, assetsPath)
}
