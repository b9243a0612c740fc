// The linter over objects of a running server: those of files with their places, those of the store with the route
// where they are found.

import { statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fieldsOf } from '#model/fields.ts'
import type { LintFinding } from '#model/finding.ts'
import type { Group } from '#model/group.ts'
import { idOf, SCHEMAS } from '#model/kinds.ts'
import type { Profile } from '#model/profile.ts'
import { textOf } from '#model/text.ts'
import { parseJson } from '../../formats/ignition/json.ts'
import type { Change } from '../../inventory/changes.ts'
import { templateFiles } from '../../inventory/template-files.ts'
import type { Sources } from '../render/answers.ts'
import { Document } from './document.ts'
import { Findings, inReadingOrder } from './findings.ts'
import { lint } from './lint.ts'
import { checkShape } from './shape.ts'

/** Names of what is to be examined. Groups are compared with each other. */
export type Names = {
  readonly groups: readonly string[]
  readonly profiles: readonly string[]
}

/** Everything that is wrong with these objects, and with the files that these profiles name. */
export function lintCatalog(sources: Sources, names: Names, assetsPath: string | undefined): LintFinding[] {
  const { catalog } = sources
  const findings = new Findings()
  const groups = names.groups.flatMap(name => documentOf<Group>('group', name, sources, findings) ?? [])
  const profiles = names.profiles.flatMap(
    name => documentOf<Profile>('profile', name, sources, findings) ?? [],
  )
  const templates = profiles.flatMap(({ object: { id, ignition_id, generic_id, cloud_id } }) => [
    `ignition/${ignition_id}`,
    `generic/${generic_id}`,
    `cloud/${cloud_id}`,
    `ipxe/${id}.ipxe.njk`,
    `grub/${id}.cfg.njk`,
  ])
  const files = templateFiles(catalog)
  const found = lint(
    { groups, profiles, templates: templates.filter(name => files.stampOf(name) !== undefined) },
    {
      profiles: catalog.profiles,
      files,
      renderers: sources,
      ...(assetsPath === undefined
        ? {}
        : { assetBytes: path => bytesOf(join(assetsPath, posix.join('/', path))) }),
    },
  )
  return inReadingOrder([...findings.all, ...found])
}

/** Findings on the objects of `changes`, and on the profiles that use their templates, as the catalog has them now. */
export function lintChanges(
  changes: readonly Change[],
  sources: Sources,
  assetsPath: string | undefined,
): LintFinding[] {
  const put = changes.filter(change => change.action === 'put')
  const namesOf = (kind: Change['kind']) => put.filter(change => change.kind === kind).map(idOf)
  const templates = new Set(namesOf('template'))
  const using = sources.catalog
    .entries('profile')
    .filter(({ object: { ignition_id, generic_id, cloud_id } }) => {
      const uses = [`ignition/${ignition_id}`, `generic/${generic_id}`, `cloud/${cloud_id}`]
      return templates.size > 0 && uses.some(name => templates.has(name))
    })
  const profiles = new Set([...namesOf('profile'), ...using.map(({ id }) => id)])
  return lintCatalog(sources, { groups: namesOf('group'), profiles: [...profiles] }, assetsPath)
}

/** An object with its places; what nothing reads in its file is a finding. In the store there is no such thing. */
function documentOf<T extends Group | Profile>(
  kind: 'group' | 'profile',
  name: string,
  { catalog, localFiles }: Pick<Sources, 'catalog' | 'localFiles'>,
  findings: Findings,
): Document<T> | undefined {
  const entry = catalog.entry(kind, name)
  if (entry === undefined) return undefined
  const object = entry.object as T // of that kind
  const path = entry.source === 'directory' ? catalog.file(kind, name)?.path : undefined
  const read = path === undefined ? '' : localFiles.read(path)
  if (path !== undefined && typeof read !== 'string') {
    try {
      const text = textOf(read)
      const tree = parseJson(text)
      checkShape(path, text, tree, fieldsOf(SCHEMAS[kind]), findings)
      return new Document(path, name, text, tree, object)
    } catch {
      // The file broke after it was read: its last good version is used instead.
    }
  }
  const text = JSON.stringify(object, undefined, 2)
  return new Document(`/v1/${kind}s/${name}`, name, text, parseJson(text), object)
}

function bytesOf(path: string): number | undefined {
  const file = statSync(path, { throwIfNoEntry: false })
  return file?.isFile() === true ? file.size : undefined
}
