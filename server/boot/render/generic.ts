// The two free kinds of a Matchbox profile: `/generic`, any text, and `/cloud`, a config of coreos-cloudinit.

import { yamlFault } from '#model/yaml-fault.ts'
import {
  BadYaml,
  firstDocument,
  LINEAR,
  refuseCostly,
  refuseDirectives,
  yaml,
} from '../../formats/butane/yaml.ts'
import { InvalidCloudConfig, NothingToServe } from './errors.ts'
import { findingText } from '../../formats/ignition/findings.ts'
import { placeAt } from '../../formats/ignition/tree.ts'
import { fileNamed } from '../../inventory/file-names.ts'
import type { Match, Renderers } from './answers.ts'
import { contextOf } from './context.ts'
import { goDataOf } from './go-templates.ts'
import { remembered } from './remembered.ts'

/** Who asks, and the query as it was received. */
export type PageSubject = Match & { readonly rawQuery: string }

/**
 * The rendered `generic_id` of a profile.
 *
 * @throws {NothingToServe} {UnknownTemplate} {GoTemplateFailed} 404, {TemplateFailed} 503
 */
export function genericText(renderers: Renderers, subject: PageSubject): string {
  const { id, generic_id: file } = subject.profile
  if (file === undefined) throw new NothingToServe(id, 'generic file', 'generic_id')
  return fileText(renderers, 'generic', file, subject)
}

/**
 * The rendered `cloud_id` of a profile: a script, or YAML that begins with `#cloud-config`.
 *
 * @throws {NothingToServe} {UnknownTemplate} {GoTemplateFailed} {InvalidCloudConfig} 404, {TemplateFailed} 503
 */
export function cloudText(renderers: Renderers, subject: PageSubject): string {
  const { cloud_id: id } = subject.profile
  if (id === undefined) throw new NothingToServe(subject.profile.id, 'cloud config', 'cloud_id')
  const text = fileText(renderers, 'cloud', id, subject)
  const [first = ''] = text.split('\n', 1)
  if (first.startsWith('#!')) return text
  if (first.trimEnd() !== '#cloud-config') {
    throw new InvalidCloudConfig(
      `cloud/${id}`,
      'its first line is neither #cloud-config nor the #! of a script',
    )
  }
  const fault = faultIn(text)
  if (fault !== undefined) throw new InvalidCloudConfig(`cloud/${id}`, fault)
  return text
}

/** What is wrong with the YAML of a cloud config: it depends on the text alone, and a rack of machines gets the same again. */
const faultIn = remembered(text => {
  const value = faultOf(text)
  return { value, size: value?.length ?? 0 }
}, 4 << 20)

function faultOf(text: string): string | undefined {
  try {
    refuseCostly(text)
    refuseDirectives(text)
    firstValue(firstDocument(text))
    return undefined
  } catch (error) {
    return placed(text, error)
  }
}

/** Says whether a cloud config, as `cloudText` gives it, is one that no machine can read: coreos-cloudinit takes maps alone. */
export function isUselessCloudConfig(text: string): boolean {
  if (text.startsWith('#!')) return false
  const value = firstValue(firstDocument(text))
  return typeof value !== 'object' || Array.isArray(value)
}

/** The value of the first document of a YAML text: coreos-cloudinit reads no other. */
function firstValue(text: string): unknown {
  const documents = yaml().parseAllDocuments(text, {
    ...LINEAR,
    schema: 'core',
    uniqueKeys: false,
    strict: false,
    logLevel: 'error',
  })
  const [document] = Array.isArray(documents) ? documents : []
  const [error] = document?.errors ?? []
  if (error !== undefined) throw new BadYaml(yamlFault(error), error.pos[0])
  return document?.toJS() ?? null
}

/** What is wrong with a YAML text, with line and column. */
function placed(text: string, error: unknown): string {
  // The parser's own are about aliases: one without an anchor, or too many of them.
  if (!(error instanceof BadYaml))
    return 'an alias (*name) has no anchor (&name) before it, or they unfold to too much'
  const { message, offset } = error
  return findingText({ severity: 'error', path: [], message, ...placeAt(text, offset) })
}

/** A file of `folder`, rendered as what its name says: ours (`*.njk`), or a Go template. */
function fileText(
  { templates, goTemplates, endpoints }: Renderers,
  folder: string,
  id: string,
  subject: PageSubject,
): string {
  if (!id.endsWith('.njk')) {
    return goTemplates.render(folder, id, goDataOf(subject.group, subject.labels, subject.rawQuery))
  }
  const name = fileNamed(folder, id)
  return templates.render(name, contextOf(endpoints, { ...subject, token: '' }))
}
