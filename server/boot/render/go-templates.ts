// The Go templates of a Matchbox data directory (`generic/`, `cloud/`), and what they see.

import type { Group } from '#model/group.ts'
import type { Labels } from '#model/selector.ts'
import { GoTemplateFailed, UnknownTemplate } from './errors.ts'
import { GoTemplateError } from '../../formats/gotemplate/failure.ts'
import { goTemplate, type GoTemplate } from '../../formats/gotemplate/template.ts'
import { TextMap, type Value, type ValueMap } from '../../formats/gotemplate/values.ts'
import { fileNamed } from '../../inventory/file-names.ts'
import type { TemplateFiles } from '../../inventory/template-files.ts'
import { selectedValues } from '../match/requirement.ts'
import { remembered } from './remembered.ts'

/** What a token of a parsed template takes, roughly; and how much of that is kept, with the texts. */
const TOKEN_SIZE = 200
const ROOM = 32 << 20

/** Templates that are parsed once, or found faulty, as long as there is room; those not used for longest are forgotten. */
export class GoTemplates {
  readonly #files: TemplateFiles
  readonly #parsed = remembered(text => {
    const value = parsedOf(text)
    return { value, size: TOKEN_SIZE * (value instanceof GoTemplateError ? 1 : value.tokens) }
  }, ROOM)

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
    const name = fileNamed(folder, id)
    try {
      return this.#template(name).render(data)
    } catch (error) {
      if (error instanceof GoTemplateError) throw new GoTemplateFailed(name, error.message, { cause: error })
      throw error
    }
  }

  #template(name: string): GoTemplate {
    const text = this.#files.textOf(name)
    if (text === undefined) throw new UnknownTemplate(name)
    const parsed = this.#parsed(text)
    if (parsed instanceof GoTemplateError) throw parsed
    return parsed
  }
}

/** A template, or what is wrong with it: both are found once. */
function parsedOf(text: string): GoTemplate | GoTemplateError {
  try {
    return goTemplate(text)
  } catch (error) {
    if (error instanceof GoTemplateError) return error
    throw error
  }
}

/**
 * What such a template sees: the group's metadata, over it each requirement of the selector under its name in lower
 * case, and `request` with the labels as `query` and the query as received as `raw_query`.
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
