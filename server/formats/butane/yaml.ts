// Reads YAML into the same tree as JSON, with the types that Go's yaml.v3 gives to plain scalars: 0644 is octal, null and
// true are few words, and a text field takes any scalar as it was written.

import type * as Yaml from 'yaml'
import type { Pair, ParsedNode, Scalar } from 'yaml'
import { lazyPackage } from '#host/lazy.ts'
import { yamlFault } from '#model/yaml-fault.ts'
import { type Dialect, int64Of } from '../ignition/read.ts'
import type { Integer } from '../ignition/types.ts'
import type { Member, Node } from '../ignition/tree.ts'

/** The parser: a server whose files are all JSON never loads it. */
export const yaml = lazyPackage('yaml') as () => typeof Yaml

/** Text that is not YAML, with the offset of what is wrong. */
export class BadYaml extends Error {
  readonly code = 'BAD_YAML'
  readonly offset: number
  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

/** Nodes that aliases may unfold to: enough for any config, too few for a bomb. */
const MAX_NODES = 200_000
/** Levels of nesting, aliases unfolded: an anchor that holds itself has no end. */
const MAX_DEPTH = 100

/**
 * Reads the first document of a YAML text. An empty one is null.
 *
 * @throws {BadYaml} with the offset
 */
export function parseYaml(text: string): Node {
  refuseCostly(text)
  refuseDirectives(text)
  const own = withoutTabs(inOneLine(goQuotes(withoutDirectives(ownDocument(text)))))
  const uniqueKeys = countedEquality()
  const documents = yaml().parseAllDocuments(own, {
    ...LINEAR,
    schema: 'failsafe',
    logLevel: 'silent',
    uniqueKeys,
  })
  const document = Array.isArray(documents) ? documents[0] : undefined
  if (document === undefined) return { kind: 'null', at: 0 }
  const [error] = document.errors
  if (error !== undefined) throw new BadYaml(yamlFault(error), error.pos[0])
  return new Reader(text).node(document.contents, 0, 0)
}

/**
 * Refuses what Go's YAML refuses before the first document: a version other than 1.1, a directive twice, an unknown one, and
 * directives without a document.
 *
 * @throws {BadYaml}
 */
export function refuseDirectives(text: string): void {
  const seen = new Set<string>()
  for (const { line: whole, at } of linesOf(text)) {
    const line = at === 0 ? whole.replace(/^\uFEFF/, '') : whole
    if (/^\s*(?:#|$)/.test(line)) continue
    if (!line.startsWith('%')) {
      if (seen.size > 0 && !/^---(?=\s|$)/.test(line)) throw new BadYaml('after a directive comes ---', at)
      return
    }
    const [what, handle] = directiveOf(line, at)
    if (what === 'YAML' && !/^%YAML[ \t]+0?1\.0?1(?!\d)/.test(line))
      throw new BadYaml(`${line.slice(0, 40)} is not %YAML 1.1, the one version that is read`, at)
    if (seen.has(handle))
      throw new BadYaml(`%${what} is there twice${what === 'TAG' ? ` for ${handle}` : ''}`, at)
    seen.add(handle)
  }
}

/** The name of a directive that Go's YAML knows, and what may not be there twice. */
function directiveOf(line: string, at: number): readonly [name: 'YAML' | 'TAG', unique: string] {
  if (/^%YAML[ \t]+\d{1,2}\.\d{1,2}[ \t]*(?:#.*)?\r?$/.test(line)) return ['YAML', '']
  const [, handle] =
    /^%TAG[ \t]+(!(?:[\w-]*!)?)[ \t]+[-\w;/?:@&=+$,.!~*'()[\]%]+(?:[ \t]+(?:#.*)?)?\r?$/.exec(line) ?? []
  if (handle === undefined) throw new BadYaml(`${line.slice(0, 40)} is not a directive that is known`, at)
  return ['TAG', handle]
}

/** The text with %YAML as a comment: the parser knows fewer spellings of 1.1. */
function withoutDirectives(text: string): string {
  return text.replace(
    /^\uFEFF?(?:%TAG[^\n]*\n|[ \t\r]*(?:#[^\n]*)?\n)*%(?=YAML)/,
    head => `${head.slice(0, -1)}#`,
  )
}

/**
 * The text up to the end of its first document. What follows is not read by Go's Unmarshal, and may be anything; only behind
 * `...` another document must begin.
 *
 * @throws {BadYaml}
 */
export function firstDocument(text: string): string {
  let isOpen = false
  for (const { line, at } of linesOf(text)) {
    const [marker] = /^(?:---|\.\.\.)(?=\s|$)/.exec(line) ?? []
    if (marker === '---' && isOpen) return text.slice(0, at)
    if (marker === '...') {
      // What the lookahead took is not given back: a text of blank lines would be tried from each of them.
      const [, , line = ''] = /^(?=((?:[^\S\n]*(?:#[^\n]*)?\n)*))\1([^\n]*)/.exec(text.slice(at + 4)) ?? []
      const next = /^\s*(?:#|$)/.test(line) ? '' : line
      if (next.startsWith('%')) directiveOf(next, text.indexOf(next, at + 4))
      if (next === '' || /^(?:---(?=\s|$)|\.\.\.|%)/.test(next)) return text.slice(0, at)
      throw new BadYaml('after ... a document must begin with ---', at)
    }
    isOpen ||= marker === '---' || !/^\s*(?:#|$)|^%/.test(line)
  }
  return text
}

/**
 * The text up to what ends its first document: a marker, or a directive. What follows that may be anything but a directive that
 * is not known: Go's YAML reads one token more.
 *
 * @throws {BadYaml}
 */
function ownDocument(text: string): string {
  if (!/\n(?:%|---|\.\.\.)/.test(text)) return text
  let isOpen = false
  for (const { token, at } of tokensOf(text)) {
    const isAtStart = at === 0 || text[at - 1] === '\n'
    const isMarker = isAtStart && (token === '---' || token === '...')
    if (isOpen && isAtStart && (isMarker || token.startsWith('%'))) {
      const rest = text.slice(isMarker ? at + 3 : at)
      const [gap = '', next = ''] = /^(?:[ \t\r]*(?:#[^\n]*)?\n)*([^\n]*)/.exec(rest) ?? []
      if (next.startsWith('%')) directiveOf(next, at + (isMarker ? 3 : 0) + gap.length - next.length)
      return text.slice(0, at)
    }
    isOpen ||= isMarker || (!MARKS.has(token) && !/^(?:[#%]|\s*$)/.test(token))
  }
  return text
}

function* linesOf(text: string): Iterable<{ readonly line: string; readonly at: number }> {
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at)
    const next = end < 0 ? text.length : end + 1
    yield { line: text.slice(at, end < 0 ? next : end), at }
    at = next
  }
}

/** The tokens of the YAML parser, with their offsets. */
function* tokensOf(text: string): Iterable<{ readonly token: string; readonly at: number }> {
  let at = 0
  for (const token of new (yaml().Lexer)().lex(text)) {
    yield { token, at }
    if (!MARKS.has(token)) at += token.length
  }
}

/** Stand for nothing and for a line break in what is given to the parser; noncharacters, which no text has. */
const [NOTHING, BREAK] = ['\uFDD0', '\uFDD1']
/** Quoted texts that are written anew. */
const MOST_REWRITTEN = 20

/**
 * The text as long as it was, but with quoted texts as Go reads them: `\'` is an escape, `\/` and halves of a surrogate pair are
 * none, and they go on in any column.
 *
 * @throws {BadYaml}
 */
function goQuotes(text: string): string {
  if (text.includes(NOTHING) || text.includes(BREAK))
    throw new BadYaml('it has a noncharacter', text.search(/[\uFDD0\uFDD1]/))
  let result = text
  for (let left = MOST_REWRITTEN; left > 0; left -= 1) {
    const next = withNextQuote(result)
    if (next === undefined) return result
    result = next
  }
  return result
}

/** The text with the first quoted text that Go reads otherwise written anew; undefined where there is none. */
function withNextQuote(text: string): string | undefined {
  for (const { token, at } of tokensOf(text)) {
    const quote = token[0]
    if (quote !== '"' && quote !== "'") continue
    const pattern = quote === '"' ? /"(?:[^"\\]|\\[^])*"/y : /'(?:[^']|'')*'/y
    pattern.lastIndex = at
    const [whole] = pattern.exec(text) ?? []
    if (whole === undefined) continue
    if (quote === '"') refuseEscapes(whole, at)
    const isCut = whole.length > token.length
    if (isCut && /^[ \t]*:(?=\s|$)/.test(text.slice(at + whole.length))) continue // a key is in one line
    const own = isCut ? folded(whole, quote) : whole
    const written =
      quote === '"' ? own.replaceAll(/\\([^])/g, (pair, mark) => (mark === "'" ? `'${NOTHING}` : pair)) : own
    if (written !== whole) return text.slice(0, at) + written + text.slice(at + whole.length)
  }
  return undefined
}

/** A quoted text in one line: one line break is a space, of more the first is dropped; one after a backslash is nothing. */
function folded(whole: string, quote: string): string {
  const breaks = quote === '"' ? /\\[^\r\n]|\\?[ \t]*\r?\n\s*/g : /[ \t]*\r?\n\s*/g
  return whole.replaceAll(breaks, run => {
    const more = run.split('\n').length - 2
    if (more < 0) return run // another escape
    const value = more > 0 ? BREAK.repeat(more) : run.startsWith('\\') ? '' : ' '
    return value.padEnd(run.length, NOTHING)
  })
}

/**
 * The text with what is in brackets in one line, where a line of it is further left than the parser takes: to Go's YAML the column
 * of such a line is all the same.
 */
function inOneLine(text: string): string {
  const pieces: string[] = []
  let [depth, done, isBroken, start] = [0, 0, false, 0]
  for (const { token, at } of tokensOf(text)) {
    if (at < done) continue
    if (token === '[' || token === '{') {
      if (depth === 0) [start, isBroken] = [at, false]
      depth += 1
    }
    if (token === '\u{18}' && depth > 0) isBroken = true
    if ((token === ']' || token === '}') && depth > 0) depth -= 1
    if (!isBroken) continue
    const end = endOfFlow(text, start)
    if (end === undefined) return text // it is not closed
    pieces.push(text.slice(done, start), flowInOneLine(text.slice(start, end)))
    done = end
    depth = 0
    isBroken = false
  }
  return pieces.join('') + text.slice(done)
}

/** Quoted texts, comments, brackets, and the rest. */
const FLOW_PARTS = /"(?:[^"\\]|\\[^])*"|(?<=[\s[\]{},:])'(?:[^']|'')*'|(?<=\s)#[^\n]*|[[\]{}]/g

/** Where the brackets end that begin at `start`. */
function endOfFlow(text: string, start: number): number | undefined {
  let depth = 0
  FLOW_PARTS.lastIndex = start
  for (let part = FLOW_PARTS.exec(text); part !== null; part = FLOW_PARTS.exec(text)) {
    const [mark] = part
    if (mark === '[' || mark === '{') depth += 1
    if (mark === ']' || mark === '}') depth -= 1
    if (depth === 0) return part.index + 1
  }
  return undefined
}

function flowInOneLine(flow: string): string {
  const bare = flow.replaceAll(FLOW_PARTS, part => (part.startsWith('#') ? ' '.repeat(part.length) : part))
  if (/^[ \t]*:(?=\s)/m.test(bare)) return flow // a key and its colon are in one line
  // Between two words of a plain text a line break is one space; elsewhere any number of them is none.
  const words = bare.replaceAll(/(?<=[^\s,[\]{}:"'])[ \t]*\r?\n\s*(?=[^\s,[\]{}:#"'])/g, run => {
    const more = run.split('\n').length - 2
    return (more > 0 ? BREAK.repeat(more) : ' ').padEnd(run.length, NOTHING)
  })
  return words.replaceAll(/"(?:[^"\\]|\\[^])*"|'(?:[^']|'')*'|[\r\n\t]/g, part =>
    /^\s$/.test(part) ? ' ' : part,
  )
}

/** @throws {BadYaml} where Go's YAML knows no such escape */
function refuseEscapes(quoted: string, at: number): void {
  for (const { 0: escape, index } of quoted.matchAll(
    /\\(?:u[dD][89a-fA-F][\da-fA-F]{2}|U0000[dD][89a-fA-F]|[^])/g,
  )) {
    if (escape === '\\/' || /^\\[uU]./.test(escape))
      throw new BadYaml(`${escape} is not an escape here`, at + index)
  }
}

/**
 * The text with the tabs between what is in brackets as spaces. Outside of brackets and quotes Go's YAML skips no tab at the
 * beginning of a line, even if nothing else or only a comment follows; but behind a plain text, to the right of its key.
 *
 * @throws {BadYaml}
 */
function withoutTabs(text: string): string {
  if (!/^ *\t/m.test(text)) return text
  const pieces: string[] = []
  let [depth, done, before] = [0, 0, { token: '', at: 0 }]
  for (const one of tokensOf(text)) {
    const { token, at } = one
    if (token === '[' || token === '{') depth += 1
    if (token === ']' || token === '}') depth -= 1
    if (/^ *\t[ \t]*$/.test(token)) {
      const start = text.lastIndexOf('\n', at - 1) + 1
      const column = at - start + token.indexOf('\t')
      const isFirst = text.slice(start, at).trim() === ''
      if (isFirst && depth === 0 && !(isPlain(before.token) && column > indentAt(text, before.at)))
        throw new BadYaml('a line begins with a tab; YAML takes spaces only', start + column)
      if (isFirst && depth > 0) {
        pieces.push(text.slice(done, at), ' '.repeat(token.length))
        done = at + token.length
      }
    }
    if (!MARKS.has(token) && token.trim() !== '' && !token.startsWith('#')) before = one
  }
  return pieces.join('') + text.slice(done)
}

function isPlain(token: string): boolean {
  return token !== '---' && /^[^[\]{},"'|>:\-?#%&*!]|^[-:?]\S/.test(token)
}

/** The column of the key or dash that a text belongs to; where it is on a line of its own, of the line before. */
function indentAt(text: string, at: number): number {
  const start = text.lastIndexOf('\n', at - 1) + 1
  const line = text.slice(start, at)
  const [prefix = ''] = /^(?: |[-?] )*/.exec(line) ?? []
  if (prefix.length < line.length) return prefix.length
  if (prefix.trim() !== '') return prefix.trimEnd().length - 1
  const [, above = ''] =
    /(?:^|\n)((?: |[-?] )*)(?![\s#])[^\n]*(?:[ \t\r]*(?:#[^\n]*)?\n)*$/.exec(
      text.slice(Math.max(0, start - 1000), start),
    ) ?? []
  return above.length
}

/** The largest text, and how many tokens and keys it may have: keys of one map are each compared with all others. */
const MOST_TEXT = 1 << 20
const MOST_TOKENS = 100_000
const MOST_KEYS = 4000
/**
 * Options of the YAML parser, without which it takes long: it would copy the line of each error, compare each item of an
 * `!!omap` with all others, and merge maps as often as a document of YAML 1.1 names them.
 */
export const LINEAR = { prettyErrors: false, resolveKnownTags: false, merge: false } as const

/** As many as 4,000 keys in one map need. A key of `{a, b}` or `? a` has no colon, by which keys are counted before. */
const MOST_COMPARISONS = MOST_KEYS ** 2 / 2

/** Says whether two keys are the same, as the YAML parser does by itself, but not without end. */
function countedEquality(): (known: ParsedNode, key: ParsedNode) => boolean {
  let left = MOST_COMPARISONS
  return (known, key) => {
    left -= 1
    if (left < 0) throw new BadYaml(`it has maps of more than ${MOST_KEYS} keys`, key.range[0])
    return known === key || (yaml().isScalar(known) && yaml().isScalar(key) && known.value === key.value)
  }
}

/**
 * Refuses what the YAML parser takes long for, or cannot end.
 *
 * @throws {BadYaml}
 */
export function refuseCostly(text: string): void {
  if (text.length > MOST_TEXT) throw new BadYaml(`it is longer than ${MOST_TEXT >> 20} MB`, MOST_TEXT)
  const run = /[ \t]{1000}|(?:[-?:][ \t]+){100}/.exec(text)
  if (run !== null) throw new BadYaml('it has more than 1000 spaces or 100 levels in one line', run.index)
  let [tokens, keys, depth] = [0, 0, 0]
  for (const { token, at } of tokensOf(text)) {
    tokens += 1
    if (token === ':') keys += 1
    if (token === '[' || token === '{') depth += 1
    if (token === ']' || token === '}') depth -= 1
    if (depth > MAX_DEPTH) throw new BadYaml(`it is nested deeper than ${MAX_DEPTH} levels`, at)
    if (tokens > MOST_TOKENS) throw new BadYaml(`it has more than ${MOST_TOKENS} tokens`, at)
    if (keys > MOST_KEYS) throw new BadYaml(`it has more than ${MOST_KEYS} keys`, at)
  }
}

/** Tokens that are not in the text: the start of a document, of flow, and of a scalar. */
const MARKS: ReadonlySet<string> = new Set(['\u{2}', '\u{18}', '\u{1f}'])

/** How YAML scalars become the values of fields. */
export const yamlScalar: Dialect['scalar'] = (node, wanted) => {
  if (wanted === 'string') {
    if (node.kind === 'string') return node.value
    return node.kind === 'number' || node.kind === 'boolean' ? node.text : undefined
  }
  if (wanted === 'integer') return node.kind === 'number' ? integerOf(node) : undefined
  if (node.kind === 'boolean') return node.value
  return node.kind === 'string' ? OLD_BOOLEANS.get(node.value) : undefined
}

/** The number as Go puts it into an int: a fraction is cut off, and what a float64 has beyond 64 bits is the least of them. */
function integerOf({ text, value }: { readonly text: string; readonly value: number }): Integer | undefined {
  const exact = exactOf(text.replaceAll('_', ''))
  if (exact !== undefined) return int64Of(exact)
  if (value > 2 ** 63) return undefined
  return int64Of(Math.abs(value) < 2 ** 63 ? BigInt(Math.trunc(value)) : -(2n ** 63n))
}

class Reader {
  readonly #anchors = new Map<string, unknown>()
  readonly #text: string
  #left = MAX_NODES

  constructor(text: string) {
    this.#text = text
  }

  node(source: unknown, at: number, depth: number): Node {
    if (depth > MAX_DEPTH) throw new BadYaml(`it is nested deeper than ${MAX_DEPTH} levels`, at)
    this.#left -= 1
    if (this.#left < 0) throw new BadYaml(`its aliases unfold to more than ${MAX_NODES} values`, at)
    if (yaml().isAlias(source)) {
      const start = source.range?.[0] ?? at
      const target = this.#anchors.get(source.source)
      if (target === undefined) throw new BadYaml(`there is no anchor &${source.source} before`, start)
      return this.node(target, start, depth + 1)
    }
    if (
      (yaml().isMap(source) || yaml().isSeq(source) || yaml().isScalar(source)) &&
      source.anchor !== undefined
    ) {
      this.#anchors.set(source.anchor, source)
    }
    if ((yaml().isMap(source) || yaml().isSeq(source)) && source.flow === true) {
      const inside = yaml().isMap(source)
        ? source.items.flatMap(({ key, value }) => [key, value])
        : source.items
      for (const one of inside) refuseOtherFlow(one, this.#text)
    }
    if (yaml().isMap(source)) {
      const start = source.range?.[0] ?? at
      return { kind: 'object', at: start, members: this.#members(source.items, start, depth) }
    }
    if (yaml().isSeq(source)) {
      const start = source.range?.[0] ?? at
      // Go leaves out what is null in a list of texts or objects.
      const items = source.items.map(item => this.node(item, start, depth + 1))
      return { kind: 'list', at: start, items: items.filter(({ kind }) => kind !== 'null') }
    }
    return yaml().isScalar(source) ? scalarNode(source, at) : { kind: 'null', at }
  }

  /** Merged keys (`<<: *anchor`) come first, so that those written out win. */
  #members(pairs: readonly Pair[], at: number, depth: number): Member[] {
    const own: Member[] = []
    const merged: Member[] = []
    for (const { key, value } of pairs) {
      const name = yaml().isScalar(key) ? key : undefined
      const start = name?.range?.[0] ?? at
      if (name === undefined) throw new BadYaml('a key must be a text', start)
      const isMerge = name.value === '<<' && name.type === 'PLAIN'
      const node = this.node(value, start, depth + 1)
      if (isMerge) merged.push(...mergedMembers(node))
      else own.push({ key: restored(String(name.value)), at: start, value: node })
    }
    const names = new Set(own.map(({ key }) => key))
    return [...merged.filter(({ key }) => !names.has(key)), ...own]
  }
}

/**
 * In `{…}` and `[…]` Go's reader ends a plain scalar at a question mark, and takes a colon as part of it when no space
 * follows: what comes then is not the comma that it wants.
 */
function refuseOtherFlow(source: unknown, text: string): void {
  if (!yaml().isScalar(source) || source.type !== 'PLAIN') return
  const at = source.source?.indexOf('?') ?? -1
  const [start, end] = source.range ?? [0, 0]
  if (at >= 0) throw new BadYaml('in {…} and […] a text with ? is in quotes', start + at)
  if (/^:[[{]/.test(text.slice(end, end + 2))) throw new BadYaml('a space is wanted after the colon', end)
}

/** The members of the maps that `<<` names; of several the first has the last word. */
export function mergedMembers(node: Node): Member[] {
  const maps = node.kind === 'list' ? node.items : [node]
  const members = new Map<string, Member>()
  for (const map of maps) {
    if (map.kind !== 'object') throw new BadYaml('only maps can be merged', map.at)
    for (const member of map.members) if (!members.has(member.key)) members.set(member.key, member)
  }
  return [...members.values()]
}

function scalarNode(scalar: Scalar, around: number): Node {
  const at = scalar.range?.[0] ?? around
  const text = typeof scalar.value === 'string' ? restored(scalar.value) : '' // failsafe: all scalars are texts
  const [, type] = /^tag:yaml\.org,2002:(.*)$/.exec(scalar.tag ?? '') ?? []
  if (type === 'binary') return { kind: 'string', at, value: Buffer.from(text, 'base64').toString() }
  const isTyped = type === 'null' || type === 'bool' || type === 'int' || type === 'float'
  const isForeign = type === undefined && scalar.tag !== undefined && scalar.tag !== '!'
  if (isForeign) return { kind: 'string', at, value: text }
  // A tag asks for its type also of a text in quotes.
  if (!isTyped && (scalar.type !== 'PLAIN' || type === 'str')) return { kind: 'string', at, value: text }
  const node = plainNode(text, at)
  if (isTyped && typeOf(node) !== type && !(type === 'float' && typeOf(node) === 'int')) {
    throw new BadYaml(`"${text.slice(0, 40)}" is not of its type !!${type}`, at)
  }
  return node
}

/** What a word is that is not in quotes. */
function plainNode(text: string, at: number): Node {
  if (NULLS.has(text)) return { kind: 'null', at }
  const truth = BOOLEANS.get(text)
  if (truth !== undefined) return { kind: 'boolean', at, value: truth, text }
  const number = numberOf(text)
  return number === undefined
    ? { kind: 'string', at, value: text }
    : { kind: 'number', at, value: number, text }
}

function typeOf(node: Node): string {
  if (node.kind === 'number') return exactOf(node.text.replaceAll('_', '')) === undefined ? 'float' : 'int'
  return node.kind === 'boolean' ? 'bool' : node.kind
}

/** A text of the parser with what the stand-ins stand for. */
function restored(text: string): string {
  return text.replaceAll(NOTHING, '').replaceAll(BREAK, '\n')
}

/** The number that a plain word is, if it is one; a leading 0 makes it octal. */
function numberOf(text: string): number | undefined {
  if (!/^[-+.\d]/.test(text)) return undefined
  const plain = text.replaceAll('_', '')
  const exact = exactOf(plain)
  if (exact !== undefined) return Number(exact)
  return /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(plain) ? Number(plain) : undefined
}

/** The whole number that a plain word is, from -2^63 to 2^64 - 1; Go reads longer ones as fractions. */
function exactOf(plain: string): bigint | undefined {
  const [, sign = '', digits] = /^([-+]?)(0x[\da-f]+|0b[01]+|0o?[0-7]+|0|[1-9]\d*)$/i.exec(plain) ?? []
  if (digits === undefined || digits.length > 70) return undefined
  const size = BigInt(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits.toLowerCase())
  const value = sign === '-' ? -size : size
  return value >= -(2n ** 63n) && value < (sign === '' ? 2n ** 64n : 2n ** 63n) ? value : undefined
}

const NULLS: ReadonlySet<string> = new Set(['', '~', 'null', 'Null', 'NULL'])
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 'True', 'TRUE'].map(word => [word, true] as const),
  ...['false', 'False', 'FALSE'].map(word => [word, false] as const),
])
/** Words of YAML 1.1 that yaml.v3 still takes where a boolean is wanted. */
const OLD_BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON'].map(word => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF'].map(word => [word, false] as const),
])
