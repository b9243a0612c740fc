// A data directory on disk, for the linter: its groups and profiles with their places, and the other files beside them.

import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import { fieldsOf, type Field } from '#model/fields.ts'
import type { LintFinding } from '#model/finding.ts'
import { groupSchema, type Group } from '#model/group.ts'
import type { Machine } from '#model/machine.ts'
import { profileSchema, type Profile } from '#model/profile.ts'
import { BadSelector } from '#model/selector.ts'
import { TEMPLATE_FOLDERS } from '#model/template.ts'
import { localFilesBelow } from '../../formats/butane/local-files.ts'
import type { Node } from '../../formats/ignition/tree.ts'
import { BrokenFile, parseGroup, parseProfile } from '../../inventory/matchbox-files.ts'
import { directoryFiles } from '../render/directory-files.ts'
import { GoTemplates } from '../render/go-templates.ts'
import { Templates } from '../render/templates.ts'
import { Document, readTree } from './document.ts'
import { Findings, inReadingOrder } from './findings.ts'
import { lint } from './lint.ts'
import { machineOf, twinMachineRules } from './rules-machines.ts'
import { checkShape } from './shape.ts'

/**
 * Everything that is wrong with the data directory at `path`. Assets are looked for in `assetsPath`, else in its
 * `assets/`; where there is neither, they are not looked for.
 */
export function lintDirectory(path: string, assetsPath?: string): LintFinding[] {
  const findings = new Findings()
  const files = directoryFiles(path)
  const groups = documentsIn(path, 'groups', fieldsOf(groupSchema), parseGroup, findings)
  const profiles = documentsIn(path, 'profiles', fieldsOf(profileSchema), parseProfile, findings)
  twinMachineRules(machinesIn(path, findings), findings)
  const templates = TEMPLATE_FOLDERS.flatMap(folder => filesBelow(path, folder))
  const assets = assetsPath ?? join(path, 'assets')
  const found = lint(
    { groups, profiles, templates },
    {
      profiles: new Set(profiles.map(({ name }) => name)),
      files,
      renderers: {
        templates: new Templates(files),
        goTemplates: new GoTemplates(files),
        localFiles: localFilesBelow(path),
        endpoints: STAND_IN,
      },
      ...(isDirectory(assets) && {
        assetBytes: (name: string) => bytesOf(join(assets, posix.join('/', name))),
      }),
    },
  )
  unusedRules(groups, profiles, templates, name => files.textOf(name) ?? '', findings)
  return inReadingOrder([...findings.all, ...found])
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
  return filesBelow(root, folder).flatMap(file => {
    const name = file.slice(folder.length + 1)
    const isDeep = name.includes('/') && folder !== 'profiles'
    if (!name.endsWith('.json') || isDeep) {
      const what = isDeep
        ? `folders below ${folder}/ are not looked into`
        : `of ${folder}/ only *.json is read`
      findings.warning('PL-2008', { file, line: 1, column: 1 }, what, 'rename it, or keep it elsewhere')
      return []
    }
    const text = readFileSync(join(root, file), 'utf8')
    const tree = readTree(file, text, findings)
    if (tree === undefined) return []
    return [{ text, tree, place: new Document(file, name.slice(0, -'.json'.length), text, tree, undefined) }]
  })
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
  const wanted = folder === 'groups' ? ['id', 'profile'] : ['id']
  for (const key of wanted.filter(key => !isThere(key))) {
    findings.error('PL-2004', document.at(), `${key} is missing`, `write "${key}": "…"`)
  }
}

function unusedRules(
  groups: readonly Document<Group>[],
  profiles: readonly Document<Profile>[],
  templates: readonly string[],
  textOf: (name: string) => string,
  findings: Findings,
): void {
  const used = new Set(groups.map(({ object }) => object.profile))
  for (const profile of groups.length === 0 ? [] : profiles.filter(({ name }) => !used.has(name))) {
    findings.warning(
      'PL-2028',
      profile.at('id'),
      'no group of this directory uses the profile',
      'remove it, or let a group name it',
    )
  }
  const named = new Set(
    profiles.flatMap(({ object: { ignition_id, generic_id, cloud_id } }) => [
      `ignition/${ignition_id}`,
      `generic/${generic_id}`,
      `cloud/${cloud_id}`,
    ]),
  )
  const all = templates.map(textOf)
  for (const name of templates) {
    const [folder = '', file = ''] = name.split(/\/(.*)/s)
    if (named.has(name) || !['ignition', 'generic', 'cloud'].includes(folder)) continue
    if (all.some(text => text.includes(file))) continue // another file includes it
    const remedy = 'remove it, or let a profile name it'
    findings.warning('PL-2029', { file: name, line: 1, column: 1 }, 'no profile names this file', remedy)
  }
}

/** Files below a folder of the directory, with their path from its root, sorted. */
function filesBelow(root: string, folder: string): string[] {
  const entries = isDirectory(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    : []
  return entries
    .filter(isFile)
    .map(entry => relative(root, join(entry.parentPath, entry.name)))
    .toSorted()
}

/** Links count as what they lead to. */
function isFile(entry: Dirent): boolean {
  return (
    entry.isFile() || (entry.isSymbolicLink() && bytesOf(join(entry.parentPath, entry.name)) !== undefined)
  )
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function bytesOf(path: string): number | undefined {
  const file = statSync(path, { throwIfNoEntry: false })
  return file?.isFile() === true ? file.size : undefined
}
