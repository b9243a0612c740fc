// Templates of a Matchbox data directory: Go's text/template with `missingkey=error` and no functions beyond its own.
// docs/matchbox.md lists where this engine differs.

import { evaluate } from './evaluate.ts'
import { parse } from './parser.ts'
import type { Value } from './values.ts'

/** A parsed template. */
export type GoTemplate = {
  /**
   * The text for `data`, whole or not at all.
   *
   * @throws {GoTemplateError} with line, column and reason
   */
  render(data: Value): string
}

/**
 * Parses a template.
 *
 * @throws {GoTemplateError} with line, column and reason
 */
export function goTemplate(source: string): GoTemplate {
  const parsed = parse(source)
  return { render: data => evaluate(source, parsed, data) }
}
