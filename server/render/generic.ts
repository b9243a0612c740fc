// The two free kinds of a Matchbox profile: `/generic`, any text, and `/cloud`, a config of coreos-cloudinit.

import { parse } from 'yaml'
import { messageOf } from '#progress/wait.ts'
import { InvalidCloudConfig, NothingToServe } from '../errors.ts'
import type { Group, Labels, Profile } from '../inventory/objects.ts'
import { goDataOf, type GoTemplates } from './go-templates.ts'

/** What a page is made of. */
export type PageSubject = {
  readonly group: Group
  readonly profile: Profile
  readonly labels: Labels
  readonly rawQuery: string
}

/**
 * The rendered `generic_id` of a profile.
 *
 * @throws {NothingToServe} {UnknownTemplate} {GoTemplateFailed} 404
 */
export function genericText(
  templates: GoTemplates,
  { group, profile, labels, rawQuery }: PageSubject,
): string {
  const { generic_id: id } = profile
  if (id === undefined) throw new NothingToServe(profile.id, 'generic file', 'generic_id')
  return templates.render('generic', id, goDataOf(group, labels, rawQuery))
}

/**
 * The rendered `cloud_id` of a profile: a script, or YAML that begins with `#cloud-config`.
 *
 * @throws {NothingToServe} {UnknownTemplate} {GoTemplateFailed} {InvalidCloudConfig} 404
 */
export function cloudText(templates: GoTemplates, { group, profile, labels, rawQuery }: PageSubject): string {
  const { cloud_id: id } = profile
  if (id === undefined) throw new NothingToServe(profile.id, 'cloud config', 'cloud_id')
  const text = templates.render('cloud', id, goDataOf(group, labels, rawQuery))
  const [first = ''] = text.split('\n', 1)
  if (first.startsWith('#!')) return text
  if (first.trimEnd() !== '#cloud-config') {
    throw new InvalidCloudConfig(
      `cloud/${id}`,
      'its first line is neither #cloud-config nor the #! of a script',
    )
  }
  let config: unknown
  try {
    config = parse(text, { uniqueKeys: false, strict: false })
  } catch (error) {
    throw new InvalidCloudConfig(`cloud/${id}`, messageOf(error))
  }
  if (typeof config !== 'object' || Array.isArray(config))
    throw new InvalidCloudConfig(`cloud/${id}`, 'it is no YAML map')
  return text
}
