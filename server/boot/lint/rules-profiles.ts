// What can be wrong with profiles, and with what groups and profiles refer to.

import { posix } from 'node:path'
import { nearest } from '#model/nearest.ts'
import type { Group } from '#model/group.ts'
import { assetOf, textsOf } from '#model/profile-assets.ts'
import type { Profile } from '#model/profile.ts'
import type { TemplateFiles } from '../../inventory/template-files.ts'
import { fileNamed, profileNamed } from '../../inventory/file-names.ts'
import { isTemplated, ownScripts } from '../render/ipxe.ts'
import type { Document } from './document.ts'
import type { FilePlace, Findings } from './findings.ts'
import type { World } from './world.ts'

/** What BIOS machines can address, and UEFI loaders take in one piece. */
const LARGEST_INITRD = 2 ** 32

/** A group's profile has to be there. */
export function profileReference(document: Document<Group>, { profiles }: World, findings: Findings): void {
  const { profile } = document.object
  if (profile === '' || profiles.has(profileNamed(profile))) return
  const guess = nearest(profile, [...profiles.keys()])
  const remedy =
    guess === undefined
      ? `write profiles/${profile}.json`
      : `did you mean "${guess}"? else write profiles/${profile}.json`
  findings.error('PL-2020', document.at('profile'), `there is no profile "${profile}"`, remedy)
}

/** What each profile has to keep. */
export function profileRules(document: Document<Profile>, world: World, findings: Findings): void {
  const { object: profile, name } = document
  if (profile.id !== name && !name.endsWith(`/${profile.id}`)) {
    const what = `the id "${profile.id}" is not the name of the file, by which groups know it`
    findings.warning('PL-2006', document.at('id'), what, `write "${name}"`)
  }
  bootRules(document, world, findings)
  for (const field of ['ignition_id', 'generic_id', 'cloud_id'] as const) {
    const id = profile[field]
    if (id === undefined) continue
    const folder = field.slice(0, -3)
    const name = fileNamed(folder, id)
    if (posix.normalize(name) !== name) {
      const remedy = `name a file below ${folder}/`
      findings.error(
        'PL-2027',
        document.at(field),
        `"${id}" leads out of ${folder}/, where it is not looked for`,
        remedy,
      )
    } else if (world.files.stampOf(name) === undefined) {
      findings.error('PL-2021', document.at(field), `there is no ${name}`, 'write it, or name another')
    }
  }
}

/** The files that a profile names, as they are read. */
export function filesNamed({ ignition_id, generic_id, cloud_id }: Profile): string[] {
  return Object.entries({ ignition: ignition_id, generic: generic_id, cloud: cloud_id }).flatMap(
    ([folder, id]) => (id === undefined ? [] : [fileNamed(folder, id)]),
  )
}

/** Says whether a profile is of our kind, rendered throughout: one of its files is a template, or it has its own script. */
export function isOurs(profile: Profile, files: TemplateFiles): boolean {
  return isTemplated(profile) || hasScript(profile, files)
}

function hasScript(profile: Profile, files: TemplateFiles): boolean {
  return ownScripts(profile).some(name => files.stampOf(name) !== undefined)
}

function bootRules(document: Document<Profile>, world: World, findings: Findings): void {
  const { object: profile } = document
  const { kernel = '', initrd = [], args = [] } = profile.boot ?? {}
  const isScripted = hasScript(profile, world.files)
  const servesNothing = [profile.ignition_id, profile.generic_id, profile.cloud_id].every(
    id => id === undefined,
  )
  // Terraform's provider writes an empty boot where a profile has nothing but an Ignition config.
  const isBooting = [kernel, ...initrd, ...args].some(text => text !== '')
  if (kernel === '' && !isScripted && (isBooting || servesNothing)) {
    const remedy = `set boot.kernel, or write ipxe/${profile.id}.ipxe.njk`
    findings.error('PL-2022', document.at('boot'), 'a machine finds nothing to boot here', remedy)
  }
  for (const [path, text] of textsOf(profile)) {
    if (/[\r\n]/.test(text)) {
      const remedy = 'write it in one line: what follows would be a command of the script'
      findings.error('PL-2026', document.at(...path), `a line break in ${path[1]}`, remedy)
    }
    if (!isOurs(profile, world.files) && /\{\{|\{%/.test(text)) {
      const what = `"${path[1]}" has braces, and no template is rendered in a profile of Matchbox's kind: the machine gets them as they are`
      const remedy =
        "write iPXE's ${uuid} or ${mac:hexhyp} for what the machine knows; only a profile that names a file in *.njk, or has its own script, is rendered"
      findings.warning('PL-2042', document.at(...path), what, remedy)
    }
    assetRule(document.at(...path), text, world, findings)
  }
  const bytes = initrd.reduce((sum, text) => sum + (sizeOf(text, world) ?? 0), 0)
  if (bytes > LARGEST_INITRD) {
    const what = `the initrds have ${bytes} bytes, more than the 4 GB that loaders can address`
    findings.error(
      'PL-2024',
      document.at('boot', 'initrd'),
      what,
      'load the root file system by URL, from the initrd',
    )
  }
  if (initrd.length > 0 && !isTemplated(profile) && !args.some(arg => arg.startsWith('initrd='))) {
    const what = 'no argument names the initrd, and a kernel that boots by UEFI does not find it'
    const remedy = 'write "--name main" before its path, and the argument "initrd=main"'
    findings.warning('PL-2025', document.at('boot', 'initrd'), what, remedy)
  }
}

function assetRule(
  place: FilePlace,
  text: string,
  { assetBytes, isLinkedOut }: World,
  findings: Findings,
): void {
  const path = assetOf(text)
  if (assetBytes === undefined || path === undefined || assetBytes(path) !== undefined) return
  if (isLinkedOut?.(path) === true) {
    const what = `the asset ${path} is a link that leads out of the assets folder, so machines get a 404`
    findings.error('PL-2023', place, what, 'put the file itself there, or mount its folder there')
    return
  }
  findings.error('PL-2023', place, `there is no asset ${path}`, 'put the file there, or fix the path')
}

function sizeOf(text: string, { assetBytes }: World): number | undefined {
  const path = assetOf(text)
  return path === undefined ? undefined : assetBytes?.(path)
}
