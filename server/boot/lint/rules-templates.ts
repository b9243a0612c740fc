// What can be wrong with the files that profiles name: before they are rendered.

import type { LintCode } from '#model/finding.ts'
import { CONTAINER_LINUX } from '../../formats/butane/legacy.ts'
import { GoTemplateError } from '../../formats/gotemplate/failure.ts'
import { goTemplate } from '../../formats/gotemplate/template.ts'
import { type PlacedFinding, REMEDIES, type WarningKind } from '../../formats/ignition/findings.ts'
import { pathText } from '../../formats/ignition/tree.ts'
import { templateFindings } from '../../inventory/template-check.ts'
import { isPlainIgnition } from '../render/ignition.ts'
import type { Findings } from './findings.ts'
import type { KnownFindings } from './known-findings.ts'
import type { World } from './world.ts'

/** Checks the text of one template, without rendering it; `known` gets what was found. */
export function templateRules(
  name: string,
  { files }: World,
  known: KnownFindings,
  findings: Findings,
): void {
  const content = files.textOf(name)
  if (content === undefined) return
  const key = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/.exec(content)
  if (key !== null) {
    const place = { file: name, line: content.slice(0, key.index).split('\n').length, column: 1 }
    const remedy = 'deliver it after the first boot, with the token of the machine'
    findings.warning('PL-2037', place, 'a private key, which anyone who guesses a MAC can fetch', remedy)
  }
  for (const finding of templateFindings({ id: name, content })) {
    const { line, column, message } = finding
    const what = sentence(finding)
    const place = { file: name, line, column }
    known.isNew(name, finding)
    if (finding.severity === 'error') {
      known.broken.add(name)
      const code = syntaxCode(name, content) ?? errorCode(name, message)
      findings.error(code, place, what, REMEDY_OF_CODE[code] ?? '')
    } else findings.warning(warningCode(finding.kind), place, what, REMEDIES[finding.kind])
  }
}

/** What a finding says, with its subject: which key it is, where the message does not name it. */
export function sentence({ severity, path, message }: PlacedFinding): string {
  const isNamed = path.length === 0 || (severity === 'warning' && !message.startsWith('this '))
  return isNamed ? message : `${pathText(path)}: ${message}`
}

/** The code of what a config format warns of. */
export function warningCode(kind: WarningKind): LintCode {
  if (kind === 'repeated-key') return 'PL-2005'
  return kind === 'unknown-key' ? 'PL-2031' : 'PL-2039'
}

/** What to do about each code of a template. */
export const REMEDY_OF_CODE: Partial<Record<LintCode, string>> = {
  'PL-2030': 'fix the config; as it is, a machine waits for a better one',
  'PL-2032': 'fix the config; as it is, machines get a 404',
  'PL-2033': 'fix the template, which is a Go template',
  'PL-2034': 'fix the template, which is a nunjucks template',
  'PL-2035': "add the key to the group's metadata, or let the template do without it",
  'PL-2043':
    'write it as Butane: variant: flatcar with version: 1.1.0, or variant: fcos with version: 1.5.0, at its top; networkd, etcd, flannel, docker, locksmith and update become files and units',
  'PL-2036': 'fix it there: it begins with #cloud-config and is a YAML map below, or it begins with #!',
}

/** The code of what makes a rendered text useless, by the kind of its file. */
export function errorCode(name: string, message: string): LintCode {
  if (message === CONTAINER_LINUX) return 'PL-2043'
  return name.endsWith('.njk') || isPlainIgnition(name) ? 'PL-2030' : 'PL-2032'
}

/** The code of a file that is no template of its kind; undefined where it is one. */
function syntaxCode(name: string, content: string): LintCode | undefined {
  if (name.endsWith('.njk')) return 'PL-2034' // of these only the syntax is known before they are rendered
  if (isPlainIgnition(name)) return undefined
  try {
    goTemplate(content)
    return undefined
  } catch (error) {
    if (!(error instanceof GoTemplateError)) throw error
    return 'PL-2033'
  }
}
