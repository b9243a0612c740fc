// The linter over objects of a running server: those of files with their places, those of the store with the route
// where they are found.

import { fieldsOf } from '#model/fields.ts'
import type { LintFinding } from '#model/finding.ts'
import type { Group } from '#model/group.ts'
import { idOf, SCHEMAS } from '#model/kinds.ts'
import type { Profile } from '#model/profile.ts'
import { textsOf } from '#model/profile-assets.ts'
import { textOf } from '#model/text.ts'
import { parseJson } from '../../formats/ignition/json.ts'
import type { Change } from '../../inventory/changes.ts'
import { templateFiles } from '../../inventory/template-files.ts'
import type { Sources } from '../render/answers.ts'
import { ownScripts } from '../render/ipxe.ts'
import { assetsIn } from './assets.ts'
import { Document } from './document.ts'
import { Findings, inReadingOrder } from './findings.ts'
import { lint } from './lint.ts'
import { representatives } from './representatives.ts'
import { filesNamed } from './rules-profiles.ts'
import { keysSentIn } from './sent-labels.ts'
import { checkShape } from './shape.ts'
import { IN_SERVER, lazily } from './world.ts'

/** Names of what is to be examined. Groups are compared with each other. */
export type Names = {
  readonly groups: readonly string[]
  readonly profiles: readonly string[]
  /** More groups and profiles whose files are rendered; nothing else is said of these. */
  readonly rendered?: { readonly groups: readonly string[]; readonly profiles: readonly string[] }
}

/** Everything that is wrong with these objects, and with the files that these profiles name. */
export function lintCatalog(sources: Sources, names: Names, assetsPath: string | undefined): LintFinding[] {
  const { catalog } = sources
  const findings = new Findings()
  const groupsOf = (ids: readonly string[], to: Findings) =>
    ids.flatMap(name => documentOf<Group>('group', name, sources, to) ?? [])
  const profilesOf = (ids: readonly string[], to: Findings) =>
    ids.flatMap(name => documentOf<Profile>('profile', name, sources, to) ?? [])
  const profiles = profilesOf(names.profiles, findings)
  const templates = profiles.flatMap(({ object }) => [...filesNamed(object), ...ownScripts(object)])
  const files = templateFiles(catalog)
  const { rendered = { groups: [], profiles: [] } } = names
  const found = lint(
    {
      groups: groupsOf(names.groups, findings),
      profiles,
      templates: templates.filter(name => files.stampOf(name) !== undefined),
      users: groupsOf(rendered.groups, new Findings()),
      rendered: profilesOf(rendered.profiles, new Findings()),
    },
    {
      profiles: catalog.profiles,
      files,
      renderers: sources,
      sentKeys: lazily(() => keysSentIn(textsIn(sources))),
      limits: IN_SERVER,
      ...(assetsPath === undefined ? {} : assetsIn(assetsPath)),
    },
  )
  return inReadingOrder([...findings.all, ...found])
}

/**
 * Findings on the objects of `changes`, on the profiles that use their templates, and on what comes of these for the groups
 * that they have, as the catalog has them now.
 */
export function lintChanges(
  changes: readonly Change[],
  sources: Sources,
  assetsPath: string | undefined,
): LintFinding[] {
  const { catalog } = sources
  const put = changes.filter(change => change.action === 'put')
  const namesOf = (kind: Change['kind']) => put.filter(change => change.kind === kind).map(idOf)
  const templates = new Set(namesOf('template'))
  const groups = new Set(namesOf('group'))
  const using = catalog.entries('profile').filter(({ object }) => {
    return (
      templates.size > 0 && [...filesNamed(object), ...ownScripts(object)].some(name => templates.has(name))
    )
  })
  const profiles = new Set([...namesOf('profile'), ...using.map(({ id }) => id)])
  const asked = new Set([...groups].flatMap(name => catalog.entry('group', name)?.object.profile ?? []))
  return lintCatalog(
    sources,
    {
      groups: [...groups],
      profiles: [...profiles],
      rendered: {
        groups: usersOf(profiles, sources).filter(name => !groups.has(name)),
        profiles: [...asked].filter(name => !profiles.has(name)),
      },
    },
    assetsPath,
  )
}

/** Names of groups that use these profiles: of each so many as are rendered. */
function usersOf(profiles: ReadonlySet<string>, { catalog }: Sources): string[] {
  if (profiles.size === 0) return []
  const users = catalog.entries('group').filter(({ object }) => profiles.has(object.profile))
  return [...Map.groupBy(users, ({ object }) => object.profile).values()].flatMap(some =>
    representatives(some, ({ object }) => object, IN_SERVER.groups).map(({ id }) => id),
  )
}

/** All texts in which a machine may be told what to send. */
function* textsIn({ catalog }: Sources): Iterable<string> {
  for (const { object } of catalog.entries('profile')) for (const [, text] of textsOf(object)) yield text
  for (const { object } of catalog.entries('template')) yield object.content
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
