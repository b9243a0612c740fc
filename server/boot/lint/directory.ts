// A data directory on disk, for the linter: its groups and profiles with their places, and the other files beside them.

import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fieldsOf, type Field } from '#model/fields.ts'
import type { LintFinding } from '#model/finding.ts'
import { groupSchema, type Group } from '#model/group.ts'
import type { Machine } from '#model/machine.ts'
import { profileSchema, type Profile } from '#model/profile.ts'
import { assetsNamed, textsOf } from '#model/profile-assets.ts'
import { BadSelector } from '#model/selector.ts'
import { TEMPLATE_FOLDERS } from '#model/template.ts'
import { textOf } from '#model/text.ts'
import { localFilesBelow } from '../../formats/butane/local-files.ts'
import { faultIn } from '../../formats/ignition/json.ts'
import type { Node } from '../../formats/ignition/tree.ts'
import { BrokenFile, parseGroup, parseProfile } from '../../inventory/matchbox-files.ts'
import { profileNamed } from '../../inventory/file-names.ts'
import type { TemplateFiles } from '../../inventory/template-files.ts'
import { directoryFiles, statOf } from '../render/directory-files.ts'
import { GoTemplates } from '../render/go-templates.ts'
import { Templates } from '../render/templates.ts'
import { assetsIn } from './assets.ts'
import { Document, readTree } from './document.ts'
import { type Found, foundBelow, isNoContent, sourcesOf } from './files.ts'
import { Findings, inReadingOrder } from './findings.ts'
import { lint } from './lint.ts'
import { machineOf, twinMachineRules } from './rules-machines.ts'
import { filesNamed, isOurs } from './rules-profiles.ts'
import { keysSentIn } from './sent-labels.ts'
import { checkShape } from './shape.ts'
import { lazily, OWN_PROCESS, type RenderLimits } from './world.ts'

/** What was read of a data directory, and what is wrong with it. */
export type Examined = {
  readonly findings: readonly LintFinding[]
  readonly read: { readonly groups: number; readonly profiles: number; readonly templates: number }
}

/** The folders by which a data directory is known. */
export const DATA_FOLDERS: readonly string[] = ['groups', 'profiles', 'machines', ...TEMPLATE_FOLDERS]

/** Says whether one of the folders of a data directory is at `path`. */
export function isDataDirectory(path: string): boolean {
  return DATA_FOLDERS.some(folder => isDirectory(join(path, folder)))
}

/** Everything that is wrong with the data directory at `path`: see `examineDirectory`. */
export function lintDirectory(
  path: string,
  assetsPath?: string,
  limits: RenderLimits = OWN_PROCESS,
): readonly LintFinding[] {
  return examineDirectory(path, assetsPath, limits).findings
}

/**
 * Reads the data directory at `path`, and finds everything that is wrong with it. Assets are looked for in `assetsPath`,
 * else in its `assets/`; they are not looked for where there is neither, which is a finding, or where `assetsPath` is
 * empty, which is not.
 */
export function examineDirectory(
  path: string,
  assetsPath?: string,
  limits: RenderLimits = OWN_PROCESS,
): Examined {
  const findings = new Findings()
  const files = readOnce(directoryFiles(path))
  const groups = documentsIn(path, 'groups', fieldsOf(groupSchema), parseGroup, findings)
  const profiles = documentsIn(path, 'profiles', fieldsOf(profileSchema), parseProfile, findings)
  twinMachineRules(machinesIn(path, findings), findings)
  const found = templatesIn(path, findings)
  const named = new Set(profiles.flatMap(({ object }) => filesNamed(object)))
  const templates = found.filter(name => named.has(name) || !isNoContent(name))
  const isSource = sourcesOf(named)
  const idle = new Set(unusedIn(templates, named, files).filter(name => !isSource(name)))
  const examined = templates.filter(name => named.has(name) || !isSource(name))
  const assets = assetsPath ?? join(path, 'assets')
  const result = lint(
    { groups, profiles, templates: examined },
    {
      profiles: new Set(profiles.map(({ name }) => name)),
      files,
      renderers: {
        templates: new Templates(files),
        goTemplates: new GoTemplates(files),
        localFiles: localFilesBelow(path),
        endpoints: STAND_IN,
      },
      sentKeys: lazily(() =>
        keysSentIn([
          ...profiles.flatMap(({ object }) => textsOf(object).map(([, text]) => text)),
          ...examined.map(name => files.textOf(name) ?? ''),
        ]),
      ),
      limits,
      ...(isDirectory(assets) && assetsIn(assets)),
    },
  )
  if (assetsPath === undefined && !isDirectory(assets)) assetsRule(profiles, findings)
  servedRule(groups, profiles, files, findings)
  unusedRules(groups, profiles, [...idle], findings)
  return {
    findings: inReadingOrder([...findings.all, ...result.map(finding => softened(finding, idle))]),
    read: { groups: groups.length, profiles: profiles.length, templates: templates.length },
  }
}

/** Where machines would reach a server: documentation's network (RFC 5737). */
const STAND_IN = {
  server: { url: 'http://192.0.2.1:8080', address: '192.0.2.1', addresses: ['192.0.2.1'] },
  agent: { url: 'https://192.0.2.1:8443', ca: 'PEM' },
}

function documentsIn<T>(
  root: string,
  folder: 'groups' | 'profiles',
  fields: readonly Field[],
  parse: (text: string) => T,
  findings: Findings,
): Document<T>[] {
  return jsonFilesIn(root, folder, findings).flatMap(({ text, tree, place }) => {
    const before = findings.all.length
    checkShape(place.file, text, tree, fields, findings)
    missingKeys(place, tree, folder, findings)
    try {
      return [place.holding(parse(text))]
    } catch (error) {
      if (!(error instanceof BrokenFile)) throw error
      const { cause } = error
      if (cause instanceof BadSelector) {
        const remedy = 'fix it; as it is, the file is left out, and its machines get another group'
        findings.error('PL-2010', place.at('selector', cause.key), cause.message, remedy)
      } else if (findings.all.length === before) {
        findings.error('PL-2002', place.at(), error.message, 'fix it; as it is, the file is left out')
      }
      return []
    }
  })
}

function machinesIn(root: string, findings: Findings): Document<Machine>[] {
  return jsonFilesIn(root, 'machines', findings).flatMap(({ text, place }) => {
    const machine = machineOf(place.holding(JSON.parse(text) as unknown), findings)
    return machine === undefined ? [] : [place.holding(machine)]
  })
}

/** The files of a folder that are JSON; those that are not, or that are never read, are findings. */
function jsonFilesIn(root: string, folder: 'groups' | 'profiles' | 'machines', findings: Findings) {
  const isDeep = (file: string) => file.slice(folder.length + 1).includes('/') && folder !== 'profiles'
  const isRead = ({ file }: Found) => file.endsWith('.json') && !isDeep(file)
  const found = foundBelow(root, folder)
  const others = found.filter(it => !isRead(it)).map(({ file }) => file)
  unreadRules(folder, others, found.filter(isRead), findings)
  return found.filter(isRead).flatMap(it => {
    const { file } = it
    const text = textIn(root, it, findings)
    if (text === undefined) return []
    // Matchbox reads hidden groups and profiles too; macOS leaves hidden files of that name, which are not JSON.
    if (isNoContent(file) && faultIn(text) !== undefined) return []
    const tree = readTree(file, text, findings)
    if (tree === undefined) return []
    const name = file.slice(folder.length + 1, -'.json'.length)
    return [{ text, tree, place: new Document(file, name, text, tree, undefined) }]
  })
}

/** Files of a folder that might have been meant as groups or the like, and are not read. */
function unreadRules(
  folder: string,
  files: readonly string[],
  read: readonly Found[],
  findings: Findings,
): void {
  const isSource = sourcesOf(read.map(({ file }) => file))
  const meant = files.filter(file => !isNoContent(file) && !isSource(file))
  const warn = (file: string, what: string) =>
    findings.warning('PL-2008', { file, line: 1, column: 1 }, what, 'rename it, or keep it elsewhere')
  for (const [below, [first = '', ...more]] of Map.groupBy(meant, file => folderOf(file, folder))) {
    if (below === '' || folder === 'profiles') {
      for (const file of [first, ...more]) warn(file, `of ${folder}/ only *.json is read`)
    } else warn(first, `folders below ${folder}/ are not looked into${andMore(more)}`)
  }
}

/** The folder of the first level below `root/` that a file is in; empty for a file of `root/` itself. */
function folderOf(file: string, root: string): string {
  const [first = '', ...rest] = file.slice(root.length + 1).split('/')
  return rest.length === 0 ? '' : first
}

function andMore(more: readonly string[]): string {
  if (more.length === 0) return ''
  return ` (nor ${more.length} more ${more.length === 1 ? 'file' : 'files'} there)`
}

/** Bytes that the server reads of a file: a larger one is not a configuration. */
const LARGEST_FILE = 16 << 20

/** The text of a file; undefined, and a finding, when it cannot be read. */
function textIn(root: string, { file, bytes }: Found, findings: Findings): string | undefined {
  const wrong = (what: string, remedy: string) => {
    if (!isNoContent(file)) findings.error('PL-2001', { file, line: 1, column: 1 }, what, remedy)
    return undefined
  }
  if (bytes === undefined) return wrong('it is not a file that can be read', 'remove it, or fix the link')
  if (bytes > LARGEST_FILE) {
    return wrong(`it has ${bytes} bytes, and at most ${LARGEST_FILE} are read`, 'keep it elsewhere')
  }
  try {
    return textOf(readFileSync(join(root, file)))
  } catch (error) {
    return wrong(`it cannot be read: ${(error as NodeJS.ErrnoException).code}`, 'let lint and serve read it')
  }
}

/** The files that profiles and other templates may name. */
function templatesIn(root: string, findings: Findings): string[] {
  return TEMPLATE_FOLDERS.flatMap(folder => foundBelow(root, folder))
    .filter(it => textIn(root, it, findings) !== undefined)
    .map(({ file }) => file)
}

/** The same files, each of which is read once. */
function readOnce(files: TemplateFiles): TemplateFiles {
  return {
    stampOf: once(name => files.stampOf(name)),
    textOf: once(name => files.textOf(name)),
    bytesOf: name => files.bytesOf(name),
  }
}

function once<T>(read: (name: string) => T): (name: string) => T {
  const known = new Map<string, { readonly it: T }>()
  return name => {
    const kept = known.get(name) ?? { it: read(name) }
    known.set(name, kept)
    return kept.it
  }
}

function missingKeys(document: Document<unknown>, tree: Node, folder: string, findings: Findings): void {
  if (tree.kind !== 'object') return
  const isThere = (key: string) =>
    tree.members.some(({ key: name, value }) => {
      return (
        name.toLowerCase() === key &&
        value.kind !== 'null' &&
        !(value.kind === 'string' && value.value === '')
      )
    })
  // A group without an id is found by the name of its file, as in Matchbox.
  const wanted = folder === 'groups' ? 'profile' : 'id'
  if (!isThere(wanted)) {
    findings.error('PL-2004', document.at(), `${wanted} is missing`, `write "${wanted}": "…"`)
  }
}

/** One finding where kernels and the like were not looked for. */
function assetsRule(profiles: readonly Document<Profile>[], findings: Findings): void {
  const named = profiles.flatMap(document => assetsNamed(document.object).map(it => ({ document, ...it })))
  const [first] = named
  if (first === undefined) return
  const count = new Set(named.map(({ asset }) => asset)).size
  const what = `there is no assets folder, so /assets/${first.asset}${count > 1 ? ` and ${count - 1} more` : ''} ${count > 1 ? 'were' : 'was'} not looked for`
  const remedy = "name the folder with --assets-path DIR, or leave assets unchecked with --assets-path ''"
  findings.warning('PL-2041', first.document.at(...first.path), what, remedy)
}

/** Profiles of Matchbox's kind without any group. Groups of our own profiles come from a site file. */
function servedRule(
  groups: readonly Document<Group>[],
  profiles: readonly Document<Profile>[],
  files: TemplateFiles,
  findings: Findings,
): void {
  const [first, ...more] = profiles.filter(({ object }) => !isOurs(object, files))
  if (groups.length > 0 || first === undefined) return
  const which = more.length === 0 ? 'this profile' : `this profile, nor ${more.length} more`
  const what = `there is no group in groups/, so no machine gets ${which}`
  const remedy = `write groups/default.json: { "id": "default", "profile": ${JSON.stringify(first.name)} }`
  findings.warning('PL-2040', first.at('id'), what, remedy)
}

/** The templates that no profile names and no other one includes. */
function unusedIn(
  templates: readonly string[],
  named: ReadonlySet<string>,
  files: TemplateFiles,
): readonly string[] {
  const all = templates.map(name => ({ name, text: files.textOf(name) ?? '' }))
  return templates.filter(name => {
    const [folder = '', file = ''] = name.split(/\/(.*)/s)
    if (named.has(name) || !['ignition', 'generic', 'cloud'].includes(folder)) return false
    return !all.some(other => other.name !== name && other.text.includes(file)) // it may include this one
  })
}

/** What is wrong with a file that no machine is served is a warning at most. */
function softened(finding: LintFinding, idle: ReadonlySet<string>): LintFinding {
  return idle.has(finding.file) ? { ...finding, severity: 'warning' } : finding
}

function unusedRules(
  groups: readonly Document<Group>[],
  profiles: readonly Document<Profile>[],
  templates: readonly string[],
  findings: Findings,
): void {
  const used = new Set(groups.map(({ object }) => profileNamed(object.profile)))
  for (const profile of groups.length === 0 ? [] : profiles.filter(({ name }) => !used.has(name))) {
    findings.warning(
      'PL-2028',
      profile.at('id'),
      'no group of this directory uses the profile',
      'remove it, or let a group name it',
    )
  }
  const warn = (file: string, more: readonly string[]) => {
    const what = `no profile names this file${andMore(more)}`
    const remedy = 'remove it, or let a profile name it'
    findings.warning('PL-2029', { file, line: 1, column: 1 }, what, remedy)
  }
  const byFolder = Map.groupBy(templates, name => posix.dirname(name))
  for (const [folder, [first = '', ...more]] of byFolder) {
    if (folder.includes('/')) warn(first, more)
    else for (const name of [first, ...more]) warn(name, [])
  }
}

function isDirectory(path: string): boolean {
  return path !== '' && statOf(path)?.isDirectory() === true
}
