// The Go templates of a Matchbox data directory (`generic/`, `cloud/`), and what they see.

import { posix } from 'node:path'
import type { Group } from '#model/group.ts'
import type { Labels } from '#model/selector.ts'
import { GoTemplateFailed, UnknownTemplate } from '../errors.ts'
import { GoTemplateError } from '../gotemplate/failure.ts'
import { goTemplate, type GoTemplate } from '../gotemplate/template.ts'
import { TextMap, type Value, type ValueMap } from '../gotemplate/values.ts'
import type { TemplateFiles } from '../inventory/template-files.ts'
import { selectedValues } from '../match/requirement.ts'

/** Templates that are parsed once; one whose file changes is parsed again at its next use. */
export class GoTemplates {
  readonly #files: TemplateFiles
  readonly #parsed = new Map<string, { readonly stamp: string; readonly template: GoTemplate }>()

  constructor(files: TemplateFiles) {
    this.#files = files
  }

  /**
   * Renders the file `id` of `folder`; an id leads to no file outside of its folder.
   *
   * @throws {UnknownTemplate} 404, when there is no such file
   * @throws {GoTemplateFailed} 404, with line, column and reason
   */
  render(folder: string, id: string, data: ValueMap): string {
    const name = posix.join(folder, posix.join('/', id))
    try {
      return this.#template(name).render(data)
    } catch (error) {
      if (error instanceof GoTemplateError) throw new GoTemplateFailed(name, error.message, { cause: error })
      throw error
    }
  }

  #template(name: string): GoTemplate {
    const stamp = this.#files.stampOf(name)
    const text = this.#files.textOf(name)
    if (stamp === undefined || text === undefined) throw new UnknownTemplate(name)
    const kept = this.#parsed.get(name)
    if (kept?.stamp === stamp) return kept.template
    const template = goTemplate(text)
    this.#parsed.set(name, { stamp, template })
    return template
  }
}

/**
 * What such a template sees: the group's metadata, over it each requirement of the selector under its name in lower
 * case, and `request` with the labels as `query` and the query as it came as `raw_query`.
 */
export function goDataOf(
  group: Pick<Group, 'metadata' | 'selector'>,
  labels: Labels,
  rawQuery: string,
): ValueMap {
  const selector = selectedValues(group.selector ?? {}, labels).map(
    ([key, value]) => [key.toLowerCase(), value] as const,
  )
  return {
    ...(group.metadata as Record<string, Value> | undefined), // it was read from JSON
    ...Object.fromEntries(selector),
    request: { query: new TextMap(labels), raw_query: rawQuery },
  }
}
