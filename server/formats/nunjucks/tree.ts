// The tree of a nunjucks template, by the parser of nunjucks. Nothing else of nunjucks is used: its compiler writes names of
// the template into JavaScript, and its runtime gives templates what JavaScript gives programs.

import { lazyPackage } from '#host/lazy.ts'
import { messageOf } from '#progress/wait.ts'

/** A node as the parser makes it: `typename` says which fields there are. Lines and columns count from 0. */
export type Tree = {
  readonly typename: string
  readonly lineno?: number
  readonly colno?: number
  readonly [field: string]: unknown
}

/** An error in a template; without a line when its place is unknown. */
export class TemplateFault extends Error {
  readonly code = 'TEMPLATE_FAULT'
  readonly reason: string
  /** From 1. */
  readonly line: number | undefined
  readonly column: number | undefined
  /** The name of the template, once it is known. */
  readonly template: string | undefined

  constructor(
    reason: string,
    place: { line?: number | undefined; column?: number | undefined; template?: string | undefined },
    options?: ErrorOptions,
  ) {
    super(reason, options)
    this.reason = reason
    this.line = place.line
    this.column = place.column
    this.template = place.template
  }
}

/** The largest source, which is parsed in some tens of milliseconds. */
export const MOST_SOURCE = 128 << 10
/** White space in a row: the parser takes time by the square of it. */
const MOST_SPACE = 400

/**
 * Parses a template, in time that grows with its length.
 *
 * @throws {TemplateFault}
 */
export function treeOf(source: string): Tree {
  if (source.length > MOST_SOURCE)
    throw new TemplateFault(
      `a template has at most ${MOST_SOURCE >> 10} KB; serve larger files as assets`,
      {},
    )
  refuseSpace(source)
  refuseOpenRaw(source)
  try {
    return nunjucks().parser.parse(source, [], {})
  } catch (error) {
    throw faultOf(error)
  }
}

const nunjucks = lazyPackage('nunjucks') as () => {
  // Not in the types of nunjucks, which says that it is exported (its index.js).
  parser: { parse(source: string, extensions: readonly never[], options: object): Tree }
}

function faultOf(error: unknown): TemplateFault {
  if (error instanceof RangeError) return new TemplateFault('it is nested too deep', {}, { cause: error })
  const { lineno, colno } = error as { lineno?: unknown; colno?: unknown } // as nunjucks' errors have them
  const place = {
    line: typeof lineno === 'number' ? lineno : undefined,
    column: typeof colno === 'number' ? colno : undefined,
  }
  return new TemplateFault(messageOf(error).trim().split('\n').at(-1)?.trim() ?? '', place, { cause: error })
}

function refuseSpace(source: string): void {
  let length = 0
  for (let at = 0; at < source.length; at += 1) {
    const code = source.charCodeAt(at)
    const isSpace = code <= 32 || (code >= 0xa0 && /\s/.test(source.charAt(at)))
    length = isSpace ? length + 1 : 0
    if (length > MOST_SPACE)
      throw new TemplateFault(
        `more than ${MOST_SPACE} characters of white space in a row`,
        placeAt(source, at),
      )
  }
}

/** The parser looks for the end of a raw block from each character again, if there is none. */
function refuseOpenRaw(source: string): void {
  let open: { readonly name: string; readonly at: number; level: number } | undefined
  for (const { 1: end, 2: name = '', 0: tag, index: at } of source.matchAll(
    /\{%-?\s*(end)?(raw|verbatim)\b/g,
  )) {
    if (open === undefined) {
      if (end === undefined) open = { name, at, level: 1 }
      continue
    }
    const isPlain =
      !tag.startsWith('{%-') && /^\s*%\}/.test(source.slice(at + tag.length, at + tag.length + 500))
    if (name !== open.name || !isPlain) continue
    open.level += end === undefined ? 1 : -1
    if (open.level === 0) open = undefined
  }
  if (open !== undefined)
    throw new TemplateFault(
      `{% ${open.name} %} is not closed by {% end${open.name} %}`,
      placeAt(source, open.at),
    )
}

function placeAt(source: string, at: number): { line: number; column: number } {
  const before = source.slice(0, at)
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') }
}
