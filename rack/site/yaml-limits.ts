// How large a YAML text may be before values are built of it: what builds them takes minutes for a text that was made for that.

import { CST, Lexer, LineCounter, Parser } from 'yaml'

/** Characters of the largest document that is read: a site of 10,000 machines has about two million. */
const LARGEST = 4 << 20
/** Items of the longest list. */
const LONGEST = 20_000
/** Keys of the largest mapping: each is compared with each other one. */
const MOST_KEYS = 1000
/** Anchors, aliases and tags in all; a site file needs none. */
const MOST_MARKS = 1000
/** How deep values may be in one another, as the parser counts: a site file has some 20. */
const DEEPEST = 100

const MARKS: ReadonlySet<unknown> = new Set(['anchor', 'alias', 'tag'])

/** What is too large in a text, and in which line it is; undefined for a text that may be read. Looks at lexemes alone. */
export function excessOf(text: string): { readonly what: string; readonly line: number } | undefined {
  if (text.length > LARGEST)
    return { what: `has ${text.length} characters; at most ${LARGEST} are read`, line: 1 }
  const lines = new LineCounter()
  const parser = new Parser(lines.addNewLine)
  let marks = 0
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)); // gives whole documents, of which only the nesting is checked
    if (MARKS.has(CST.tokenType(lexeme))) marks += 1
    const { stack, offset } = parser
    const top = stack.at(-1)
    const items = top !== undefined && 'items' in top ? top.items.length : 0
    const isMapping =
      top?.type === 'block-map' || (top?.type === 'flow-collection' && top.start.source === '{')
    const most = isMapping ? MOST_KEYS : LONGEST
    const line = Math.max(1, lines.linePos(offset).line)
    if (stack.length > DEEPEST)
      return { what: `its values are more than ${DEEPEST} deep in one another`, line }
    if (items > most)
      return { what: `has more than ${most} ${isMapping ? 'keys in a mapping' : 'items in a list'}`, line }
    if (marks > MOST_MARKS) return { what: `has more than ${MOST_MARKS} anchors, aliases and tags`, line }
  }
  return undefined
}
