// Templates of a Matchbox data directory: Go's text/template with `missingkey=error` and no functions beyond its own.
// docs/matchbox.md lists where this engine differs.

import { evaluate } from './evaluate.ts'
import { GoTemplateError } from './failure.ts'
import { parse } from './parser.ts'
import type { Value } from './values.ts'

/** A parsed template. */
export type GoTemplate = {
  /** How many tokens it was read from. */
  readonly tokens: number
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
  if (source.length > MOST_SOURCE && source.includes('{{'))
    throw new GoTemplateError(source, 0, `a template has at most ${MOST_SOURCE >> 10} KB`)
  const parsed = shallow(source, () => parse(source))
  return { tokens: parsed.tokens, render: data => shallow(source, () => evaluate(source, parsed, data)) }
}

/** The largest source with actions, which is parsed in some tens of milliseconds. */
const MOST_SOURCE = 256 << 10

/** Turns a stack overflow into an error of the template: it is nested too deep. */
function shallow<T>(source: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof RangeError) throw new GoTemplateError(source, 0, 'it is nested too deep')
    throw error
  }
}
