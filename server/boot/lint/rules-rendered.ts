// What can be wrong with the files that profiles name once they are rendered: for each group that uses the profile, since
// its metadata decide what comes out. What was found for one group is not repeated for the next.

import type { LintCode } from '#model/finding.ts'
import type { Group } from '#model/group.ts'
import type { Machine } from '#model/machine.ts'
import type { Profile } from '#model/profile.ts'
import { type Labels, type Requirement, isList } from '#model/selector.ts'
import { ServerError } from '../../errors.ts'
import { fileNamed } from '../../inventory/file-names.ts'
import { transpile } from '../../formats/butane/transpile.ts'
import { checkIgnition } from '../../formats/ignition/config.ts'
import { type PlacedFinding, REMEDIES } from '../../formats/ignition/findings.ts'
import { ignitionSourceOf, scriptOf, type Match } from '../render/answers.ts'
import { cloudText, genericText, isUselessCloudConfig } from '../render/generic.ts'
import { isPlainIgnition } from '../render/ignition.ts'
import { ownScripts } from '../render/ipxe.ts'
import type { Document } from './document.ts'
import type { FilePlace, Findings } from './findings.ts'
import type { KnownFindings } from './known-findings.ts'
import { representatives } from './representatives.ts'
import { errorCode, REMEDY_OF_CODE, sentence, warningCode } from './rules-templates.ts'
import { type AskedPage, sentByProfile } from './sent-labels.ts'
import type { World } from './world.ts'

/** Renders all files of a profile for each of its groups; for one without metadata where there is none. */
export function renderRules(
  document: Document<Profile>,
  groups: readonly Document<Group>[],
  known: KnownFindings,
  world: World,
  findings: Findings,
): void {
  const { object: profile } = document
  if (groups.length === 0) return renderFor(document, { id: '', profile: profile.id }, known, world, findings)
  const most = known.take(Math.min(groups.length, world.limits.groups), world.limits.renderings)
  if (most < groups.length && hasFiles(profile)) {
    const what =
      `its files were rendered for ${most} of ${groups.length} groups` +
      `${most === 0 ? ', since enough others were' : ', which differ most'}: the other ${groups.length - most} were not looked at`
    findings.warning('PL-2044', document.at('id'), what, NOT_LOOKED_AT)
  }
  for (const { object, name } of representatives(groups, it => it.object, most)) {
    renderFor(document, { ...object, id: name }, known, world, findings)
  }
}

/** What to do about what was not looked at. */
export const NOT_LOOKED_AT =
  "'pilotlight explain --mac MAC' shows what one machine is served, and what is wrong with it"

/** Says whether something is rendered for the groups of a profile. */
function hasFiles({ ignition_id, generic_id, cloud_id }: Profile): boolean {
  return [ignition_id, generic_id, cloud_id].some(id => id !== undefined && !isPlainIgnition(id))
}

/** A group without an id stands for none at all: what its metadata would hold is not known, so nothing is missed. */
function renderFor(
  document: Document<Profile>,
  group: Group,
  known: KnownFindings,
  world: World,
  findings: Findings,
): void {
  const { object: profile } = document
  const { renderers, files } = world
  const isThere = (name: string) => files.stampOf(name) !== undefined && !known.broken.has(name)
  const { ignition_id, generic_id, cloud_id, boot } = profile
  const fail = (error: unknown, place: FilePlace) => {
    if (!(error instanceof ServerError)) throw error
    const code = CODES[error.code]
    if (code === undefined) return // reported by another rule
    if (group.id === '' && code === 'PL-2035') return
    const { where, reason } = placedIn(error.message, place)
    if (!known.isNew(where.file, { path: [code], message: reason })) return
    findings.error(code, where, `${forGroup(group)}${reason}`, REMEDY_OF_CODE[code] ?? '')
  }
  const attempt = (page: AskedPage, name: string, render: (match: Match, rawQuery: string) => unknown) => {
    if (!isThere(name)) return
    try {
      render(...matchFor(page, group, profile))
    } catch (error) {
      try {
        // Another file may make machines ask with a label that this one wants.
        if (!isMissing(error)) throw error
        const [match, rawQuery] = matchFor(page, group, profile)
        const others = [...world.sentKeys()].map(key => [key, 'x'])
        render({ ...match, labels: { ...Object.fromEntries(others), ...match.labels } }, rawQuery)
      } catch (again) {
        fail(isMissing(again) ? error : again, document.at())
      }
    }
  }
  if (ignition_id !== undefined && !isPlainIgnition(ignition_id)) {
    attempt('ignition', fileNamed('ignition', ignition_id), (match, rawQuery) => {
      const { name, kind, text } = ignitionSourceOf(renderers, match, { token: 'token', rawQuery })
      if (!known.isToCheck(name, text, world.limits.texts)) return
      const checked = kind === 'butane' ? transpile(text, renderers.localFiles) : checkIgnition(text)
      report(name, text, known.news(name, checked.findings), group, world, findings)
    })
  }
  attempt('generic', fileNamed('generic', generic_id ?? ''), (match, rawQuery) =>
    genericText(renderers, { ...match, rawQuery }),
  )
  const cloudFile = fileNamed('cloud', cloud_id ?? '')
  attempt('cloud', cloudFile, (match, rawQuery) => {
    if (!isUselessCloudConfig(cloudText(renderers, { ...match, rawQuery }))) return
    const what = 'it is not a YAML map, so no machine can read it'
    if (known.isNew(cloudFile, { path: [], message: what })) {
      findings.warning(
        'PL-2036',
        { file: cloudFile, line: 2, column: 1 },
        what,
        REMEDY_OF_CODE['PL-2036'] ?? '',
      )
    }
  })
  if (boot?.kernel !== undefined || ownScripts(profile).some(isThere)) {
    try {
      scriptOf(renderers, standInMatch(group, profile))
    } catch (error) {
      fail(error, document.at('boot'))
    }
  }
}

/** Reports what is wrong with a rendered text, with lines of the file where it has the same. */
function report(
  name: string,
  text: string,
  found: readonly PlacedFinding[],
  group: Group,
  { files }: World,
  findings: Findings,
): void {
  if (found.length === 0) return
  const lineIn = linesIn(files.textOf(name) ?? '', text)
  for (const finding of found) {
    const { column, message } = finding
    if (group.id === '' && finding.severity === 'error') continue // it may be its metadata that are missing
    const line = lineIn(finding.line)
    const where = line === undefined ? `in line ${finding.line} of its text: ` : ''
    const what = `${forGroup(group)}${where}${sentence(finding)}`
    const place = { file: name, line: line ?? finding.line, column }
    if (finding.severity === 'error') {
      const code = errorCode(name, message)
      findings.error(code, place, what, REMEDY_OF_CODE[code] ?? '')
    } else findings.warning(warningCode(finding.kind), place, what, REMEDIES[finding.kind])
  }
}

function forGroup({ id }: Group): string {
  return id === '' ? '' : `for group ${id}: `
}

/**
 * Finds the line of a template that a line of its rendered text comes from: the only one that reads the same, or the one
 * of the same number where both have as many.
 */
function linesIn(template: string, rendered: string): (line: number) => number | undefined {
  const [from, to] = [template.split('\n'), rendered.split('\n')]
  return line => {
    if (from.length === to.length) return line
    const wanted = to[line - 1]
    const at = from.indexOf(wanted ?? '')
    const isOne = at >= 0 && from.indexOf(wanted ?? '', at + 1) < 0 && to.indexOf(wanted ?? '') === line - 1
    return isOne && to.indexOf(wanted ?? '', line) < 0 ? at + 1 : undefined
  }
}

/** Says whether a rendering failed for something that the template wanted. */
function isMissing(error: unknown): boolean {
  return error instanceof ServerError && CODES[error.code] === 'PL-2035'
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

/** A machine that the group would take, as it asks for a page, and the query with which it does. */
function matchFor(page: AskedPage, group: Group, profile: Profile): [match: Match, rawQuery: string] {
  const match = standInMatch(group, profile)
  const { labels, rawQuery, isNamed } = sentByProfile(profile, page, match.labels)
  const sent = isNamed ? labels : { ...match.labels, ...labels } // iPXE's own labels go to /ipxe alone
  return [{ ...match, labels: { ...sent, ...wantedBy(group) } }, rawQuery]
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
    ...wantedBy(group),
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

/** The labels that a group asks for. */
function wantedBy({ selector = {} }: Group): Labels {
  return Object.fromEntries(Object.entries(selector).map(([key, wanted]) => [key, standInText(wanted)]))
}

function standInText(wanted: Requirement): string {
  const one = isList(wanted) ? (wanted[0] ?? '') : wanted
  if (typeof one === 'string') return one
  if ('glob' in one) return one.glob.replaceAll(/[*?]/g, 'x')
  if ('cidr' in one) return one.cidr.replace(/\/.*/, '')
  return one.present ? 'x' : ''
}
