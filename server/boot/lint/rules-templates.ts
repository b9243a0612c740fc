// What can be wrong with the files that profiles name: in their syntax, and in what they render to for each group.

import type { LintCode } from '#model/finding.ts'
import type { Group } from '#model/group.ts'
import type { Machine } from '#model/machine.ts'
import type { Profile } from '#model/profile.ts'
import { type Labels, type Requirement, isList } from '#model/selector.ts'
import { ServerError } from '../../errors.ts'
import { GoTemplateError } from '../../formats/gotemplate/failure.ts'
import { goTemplate } from '../../formats/gotemplate/template.ts'
import { REMEDIES, type WarningKind } from '../../formats/ignition/findings.ts'
import { templateFindings } from '../../inventory/template-check.ts'
import { ignitionTextOf, scriptOf, type Match } from '../render/answers.ts'
import { cloudText, genericText } from '../render/generic.ts'
import { isPlainIgnition } from '../render/ignition.ts'
import { ownScripts } from '../render/ipxe.ts'
import type { Document } from './document.ts'
import type { FilePlace, Findings } from './findings.ts'
import type { World } from './world.ts'

/** Groups that a profile is rendered for; further ones would give the same findings. */
const MOST_GROUPS = 25

/** Checks the text of one template, without rendering it. */
export function templateRules(name: string, { files }: World, findings: Findings): boolean {
  const content = files.textOf(name)
  if (content === undefined) return false
  const key = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/.exec(content)
  if (key !== null) {
    const place = { file: name, line: content.slice(0, key.index).split('\n').length, column: 1 }
    const remedy = 'deliver it after the first boot, with the token of the machine'
    findings.warning('PL-2037', place, 'a private key, which anyone who guesses a MAC can fetch', remedy)
  }
  const code = codeOf(name, content)
  let isGood = true
  for (const finding of templateFindings({ id: name, content })) {
    const { line, column, message } = finding
    const place = { file: name, line, column }
    if (finding.severity === 'error') findings.error(code, place, message, MENDS[code] ?? '')
    else findings.warning(warningCode(finding.kind), place, message, REMEDIES[finding.kind])
    isGood &&= finding.severity !== 'error'
  }
  return isGood
}

/** The code of what a config format warns of. */
export function warningCode(kind: WarningKind): LintCode {
  return kind === 'unknown-key' ? 'PL-2031' : 'PL-2039'
}

/** Renders all files of a profile for each of its groups. Files in `broken` are known to be wrong already. */
export function renderRules(
  document: Document<Profile>,
  groups: readonly Document<Group>[],
  broken: ReadonlySet<string>,
  world: World,
  findings: Findings,
): void {
  const { object: profile } = document
  const { renderers } = world
  const isThere = (name: string) => world.files.stampOf(name) !== undefined && !broken.has(name)
  for (const group of groups.slice(0, MOST_GROUPS)) {
    const match = standInMatch(group.object, profile)
    const subject = { ...match, rawQuery: '' }
    const { ignition_id, generic_id, cloud_id, boot } = profile
    const attempts: [name: string, render: () => unknown][] = [
      [`ignition/${ignition_id}`, () => ignitionTextOf(renderers, match, { token: 'token', rawQuery: '' })],
      [`generic/${generic_id}`, () => genericText(renderers, subject)],
      [`cloud/${cloud_id}`, () => cloudText(renderers, subject)],
    ]
    for (const [name, render] of attempts) {
      if (isThere(name)) attempt(render, document.at(), group.name, findings)
    }
    if (boot?.kernel !== undefined || ownScripts(profile).some(isThere)) {
      attempt(() => scriptOf(renderers, match), document.at('boot'), group.name, findings)
    }
  }
}

function attempt(render: () => unknown, place: FilePlace, group: string, findings: Findings): void {
  try {
    render()
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    const code = CODES[error.code]
    if (code === undefined) return // reported by another rule
    const { where, reason } = placedIn(error.message, place)
    findings.error(code, where, `for group ${group}: ${reason}`, MENDS[code] ?? '')
  }
}

/** The place that an error's message names, and what it says of it. */
function placedIn(message: string, otherwise: FilePlace): { where: FilePlace; reason: string } {
  const [, file, line = '1', column = '1', reason = message] =
    /^([^\s"]+\/\S+) (?:is not|renders|cannot)[^:]*: (?:line (\d+)(?:, column (\d+))?: )?(.*)$/s.exec(
      message,
    ) ?? []
  if (file === undefined) return { where: otherwise, reason: message }
  return { where: { file, line: Number(line), column: Number(column) }, reason }
}

const CODES: Readonly<Record<string, LintCode>> = {
  TEMPLATE_FAILED: 'PL-2035',
  GO_TEMPLATE_FAILED: 'PL-2035',
  INVALID_IGNITION: 'PL-2030',
  INVALID_BUTANE: 'PL-2032',
  INVALID_CLOUD_CONFIG: 'PL-2036',
}

const MENDS: Partial<Record<LintCode, string>> = {
  'PL-2030': 'fix the config; as it is, a machine waits for a better one',
  'PL-2032': 'fix the config; lines are those of the rendered text',
  'PL-2033': 'fix the template, which is a Go template',
  'PL-2034': 'fix the template, which is a nunjucks template',
  'PL-2035': "add the key to the group's metadata, or let the template do without it",
  'PL-2036': 'begin it with #cloud-config and write a YAML map below, or begin it with #!',
}

function codeOf(name: string, content: string): LintCode {
  if (name.endsWith('.njk')) return 'PL-2034'
  if (name.startsWith('ignition/') && isPlainIgnition(name)) return 'PL-2030'
  try {
    goTemplate(content)
    return 'PL-2032'
  } catch (error) {
    if (!(error instanceof GoTemplateError)) throw error
    return 'PL-2033'
  }
}

/** A machine that the group would take, with everything that iPXE sends. */
function standInMatch(group: Group, profile: Profile): Match {
  const labels: Labels = {
    mac: '52:54:00:00:00:01',
    uuid: '00000000-0000-4000-8000-000000000001',
    serial: 'serial',
    hostname: 'hostname',
    domain: 'domain',
    arch: 'x86_64',
    ...Object.fromEntries(
      Object.entries(group.selector ?? {}).map(([key, wanted]) => [key, standInText(wanted)]),
    ),
  }
  const text = (key: string, otherwise: string) => {
    const value = group.metadata?.[key]
    return typeof value === 'string' ? value : otherwise
  }
  const machine: Machine = {
    name: text('name', group.id),
    macs: [labels.mac ?? ''],
    role: text('role', 'compute') === 'controller' ? 'controller' : 'compute',
    address: text('address', '192.0.2.9'),
    labels: {},
  }
  return { labels, group, profile, machine }
}

function standInText(wanted: Requirement): string {
  const one = isList(wanted) ? (wanted[0] ?? '') : wanted
  if (typeof one === 'string') return one
  if ('glob' in one) return one.glob.replaceAll(/[*?]/g, 'x')
  if ('cidr' in one) return one.cidr.replace(/\/.*/, '')
  return one.present ? 'x' : ''
}
