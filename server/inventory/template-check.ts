// What can be said of a template before any machine asks for it: by its name it is Ignition, Butane, a Go template or
// a Pilotlight template (docs/matchbox.md), and each of these can be wrong in ways that need no values to be seen.

import type { Template } from '#model/template.ts'
import { CONTAINER_LINUX, containerLinuxAt } from '../formats/butane/legacy.ts'
import { transpile } from '../formats/butane/transpile.ts'
import type { LocalFiles } from '../formats/butane/local-files.ts'
import { GoTemplateError } from '../formats/gotemplate/failure.ts'
import { goTemplate } from '../formats/gotemplate/template.ts'
import { checkIgnition } from '../formats/ignition/config.ts'
import type { PlacedFinding } from '../formats/ignition/findings.ts'
import { placeAt } from '../formats/ignition/tree.ts'
import { compile } from '../formats/nunjucks/compile.ts'
import { TemplateFault } from '../formats/nunjucks/tree.ts'

/** All findings, with line and column; none says nothing about what values will do to it. */
export function templateFindings({ id, content }: Template): readonly PlacedFinding[] {
  if (id.endsWith('.njk')) return nunjucksFindings(content)
  const [folder] = id.split('/', 1)
  if (folder === 'generic' || folder === 'cloud') return goFindings(content)
  if (folder !== 'ignition') return []
  if (/\.ign(?:ition)?$/.test(id)) return checkIgnition(content).findings
  if (!/\.(?:ya?ml|bu|butane)(?:\.tmpl)?$|\.tmpl$/.test(id)) return [] // perhaps a part of one of our templates
  const findings = goFindings(content)
  if (findings.length > 0) return findings
  if (!content.includes('{{')) return transpile(content, ANY_FILE).findings
  // What a template gives is known when it is rendered, but not that it is of a kind which is no longer served.
  const at = containerLinuxAt(content)
  return at === undefined ? [] : [{ ...fault(CONTAINER_LINUX, 1, 1), ...placeAt(content, at) }]
}

/** Stands in for files beside a config: whether they are there shows when it is rendered. */
const ANY_FILE: LocalFiles = { read: () => new Uint8Array(), tree: () => [] }

function nunjucksFindings(content: string): PlacedFinding[] {
  try {
    compile('', content)
    return []
  } catch (error) {
    if (!(error instanceof TemplateFault)) throw error
    const { reason, line, column } = error
    return [fault(reason, line ?? openTagLine(reason, content), column ?? 1)]
  }
}

/** A tag that is not closed is reported without its place: it is the last of its kind. */
function openTagLine(message: string, content: string): number {
  const [, tag = ''] = /parse(\w+): /.exec(message) ?? []
  const before = content.split(new RegExp(`\\{%-?\\s*${tag.toLowerCase()}\\b`))
  return before.slice(0, -1).join('').split('\n').length
}

function goFindings(content: string): PlacedFinding[] {
  try {
    goTemplate(content)
    return []
  } catch (error) {
    if (!(error instanceof GoTemplateError)) throw error
    return [fault(error.reason, error.line, error.column)]
  }
}

function fault(message: string, line: number, column: number): PlacedFinding {
  return { severity: 'error', path: [], message, line, column }
}
