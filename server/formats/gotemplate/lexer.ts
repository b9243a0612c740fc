// Cuts a template into tokens: the text between actions, with trimming done, and the words inside of `{{ }}`.

import { GoTemplateError } from './failure.ts'
import { NUMBER } from './numbers.ts'

/** What a token is; `space` counts inside of actions, since it parts operands. */
export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'space'
  | 'identifier'
  | 'keyword'
  | 'field'
  | 'variable'
  | 'dot'
  | 'bool'
  | 'nil'
  | 'number'
  | 'character'
  | 'string'
  | 'raw'
  | 'declare'
  | 'assign'
  | 'pipe'
  | 'comma'
  | 'left'
  | 'right'
  | 'end'

/** A piece of the source as it is written there, and the offset where it begins. */
export type Token = { readonly kind: TokenKind; readonly text: string; readonly at: number }

/**
 * All tokens of a template; the last is of kind `end`.
 *
 * @throws {GoTemplateError} on what is not a token, an action or comment without end, and parentheses without partner
 */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  let trimNext = false
  while (at < source.length) {
    const open = source.indexOf('{{', at)
    const stop = open < 0 ? source.length : open
    const trims = open >= 0 && /^-[ \t\r\n]/.test(source.slice(open + 2, open + 4))
    addText(at, stop, trimNext, trims)
    trimNext = false
    if (open < 0) break
    const inside = open + (trims ? 3 : 2)
    const body = trims ? inside + skipped(SPACES, inside) : inside
    if (source.startsWith('/*', body)) {
      const { next, trims: after } = commentEnd(open, body)
      at = next
      trimNext = after
    } else {
      tokens.push({ kind: 'open', text: '{{', at: open })
      const { next, trims: after } = action(inside)
      at = next
      trimNext = after
    }
  }
  tokens.push({ kind: 'end', text: '', at: source.length })
  return tokens

  function addText(from: number, to: number, trimStart: boolean, trimEnd: boolean): void {
    let text = source.slice(from, to)
    if (trimEnd) text = withoutEnd(text)
    const start = trimStart ? text.length - text.replace(/^[ \t\r\n]+/, '').length : 0
    if (text.length > start) tokens.push({ kind: 'text', text: text.slice(start), at: from + start })
  }

  function skipped(pattern: RegExp, from: number): number {
    pattern.lastIndex = from
    return pattern.exec(source)?.[0].length ?? 0
  }

  function commentEnd(open: number, body: number): { next: number; trims: boolean } {
    const close = source.indexOf('*/', body + 2)
    if (close < 0) throw new GoTemplateError(source, open, 'a comment has no end: write */}}')
    const end = closing(close + 2)
    if (end === undefined)
      throw new GoTemplateError(source, close, 'a comment must end just before its }}: write */}}')
    return end
  }

  /** Where an action ends, when it ends at `from`. */
  function closing(from: number): { next: number; trims: boolean } | undefined {
    if (/^[ \t\r\n]-\}\}/.test(source.slice(from, from + 4))) return { next: from + 4, trims: true }
    return source.startsWith('}}', from) ? { next: from + 2, trims: false } : undefined
  }

  function action(from: number): { next: number; trims: boolean } {
    const open: number[] = []
    for (let here = from; here < source.length;) {
      const end = closing(here)
      if (end !== undefined) {
        if (open.length > 0) throw new GoTemplateError(source, open.at(-1) ?? here, 'a ( has no )')
        tokens.push({ kind: 'close', text: '}}', at: here })
        return end
      }
      const token = wordAt(here)
      if (token.kind === 'left') open.push(here)
      if (token.kind === 'right' && open.pop() === undefined)
        throw new GoTemplateError(source, here, 'a ) has no (')
      tokens.push(token)
      here += token.text.length
    }
    throw new GoTemplateError(source, from, 'an action has no end: write }}')
  }

  function wordAt(here: number): Token {
    const spaces = spacesAt(here)
    if (spaces > 0) return { kind: 'space', text: source.slice(here, here + spaces), at: here }
    for (const [kind, pattern] of WORDS) {
      pattern.lastIndex = here
      const text = pattern.exec(source)?.[0]
      if (text === undefined) continue
      if (kind === 'number') return numberAt(here, text)
      if (ENDED.has(kind) && !isEnded(here + text.length)) throw unexpected(here + text.length)
      return { kind: kind === 'identifier' ? wordKind(text) : kind, text, at: here }
    }
    if (source[here] === '"' || source[here] === "'" || source[here] === '`')
      throw new GoTemplateError(source, here, `a ${source[here] ?? ''} has no partner`)
    throw unexpected(here)
  }

  /** A number, and a second one behind it with a sign, which is its imaginary part. */
  function numberAt(here: number, first: string): Token {
    let text = first
    const after = source[here + text.length] ?? ''
    if (after === '+' || after === '-') {
      NUMBER.lastIndex = here + text.length
      text += NUMBER.exec(source)?.[0] ?? ''
      if (!text.endsWith('i')) throw new GoTemplateError(source, here, `"${text}" is not a number`)
    }
    const letter = source.slice(here + text.length, here + text.length + 2)
    if (/^[\p{L}\p{Nd}_]/u.test(letter))
      throw new GoTemplateError(
        source,
        here,
        `"${text}${String.fromCodePoint(letter.codePointAt(0) ?? 0)}" is not a number`,
      )
    return { kind: 'number', text, at: here }
  }

  /** Spaces before a ` -}}` leave the last one to it. */
  function spacesAt(here: number): number {
    const count = skipped(SPACES, here)
    const end = here + count
    return count > 1 && closing(end - 1)?.trims === true ? count - 1 : count
  }

  function isEnded(here: number): boolean {
    return (
      here >= source.length || /[ \t\r\n.,|:)(]/.test(source[here] ?? '') || source.startsWith('}}', here)
    )
  }

  function unexpected(here: number): GoTemplateError {
    const letter = String.fromCodePoint(source.codePointAt(here) ?? 0)
    return new GoTemplateError(source, here, `${JSON.stringify(letter)} is not expected inside of an action`)
  }
}

function wordKind(word: string): TokenKind {
  if (KEYWORDS.has(word)) return 'keyword'
  if (word === 'true' || word === 'false') return 'bool'
  return word === 'nil' ? 'nil' : 'identifier'
}

const SPACES = /[ \t\r\n]*/y

const KEYWORDS: ReadonlySet<string> = new Set(
  'block break continue define else end if range template with'.split(' '),
)

/** Words that must be followed by a space or by punctuation. */
const ENDED: ReadonlySet<TokenKind> = new Set<TokenKind>(['identifier', 'field', 'variable'])

const WORDS: readonly (readonly [TokenKind, RegExp])[] = [
  ['declare', /:=/y],
  ['assign', /=/y],
  ['pipe', /\|/y],
  ['comma', /,/y],
  ['left', /\(/y],
  ['right', /\)/y],
  ['string', /"(?:[^"\\\n]|\\[^\n])*"/y],
  ['raw', /`[^`]*`/y],
  ['character', /'(?:[^'\\\n]|\\[^\n])+'/y],
  ['variable', /\$[\p{L}\p{Nd}_]*/uy],
  ['number', NUMBER],
  ['field', /\.[\p{L}\p{Nd}_]+/uy],
  ['dot', /\.(?![\p{L}\p{Nd}_])/uy],
  ['identifier', /[\p{L}_][\p{L}\p{Nd}_]*/uy],
]

/** Without the white space at its end: from the end, since a pattern would look from each space. */
function withoutEnd(text: string): string {
  let length = text.length
  while (length > 0 && ' \t\r\n'.includes(text.charAt(length - 1))) length -= 1
  return text.slice(0, length)
}
