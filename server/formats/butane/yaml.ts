// Reads YAML into the same tree as JSON, with the types that Go's yaml.v3 gives to plain scalars: 0644 is octal, null and
// true are few words, and a text field takes any scalar as it was written.

import type * as Yaml from 'yaml'
import type { Pair, ParsedNode, Scalar } from 'yaml'
import { lazyPackage } from '#host/lazy.ts'
import { yamlFault } from '#model/yaml-fault.ts'
import type { Dialect } from '../ignition/read.ts'
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
  const uniqueKeys = countedEquality()
  const documents = yaml().parseAllDocuments(text, {
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
 * Refuses what Go's YAML refuses before the first document: a version other than 1.1, two of them, an unknown directive.
 *
 * @throws {BadYaml}
 */
export function refuseDirectives(text: string): void {
  let hasVersion = false
  for (const { line, at } of linesOf(text)) {
    if (/^\s*(?:#|$)/.test(line)) continue
    if (!line.startsWith('%')) return
    if (/^%TAG\s/.test(line)) continue
    if (hasVersion && line.startsWith('%YAML')) throw new BadYaml('%YAML is there twice', at)
    hasVersion = /^%YAML[ \t]+1\.1\s*(?:\s#.*)?$/.test(line)
    if (!hasVersion)
      throw new BadYaml(`${line.slice(0, 40)} is not %YAML 1.1, the one version that is read`, at)
  }
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
      const [rest = ''] = /^(?:[^\S\n]*(?:#[^\n]*)?\n)*(?!\s*(?:#|$)).*/.exec(text.slice(at + 4)) ?? []
      const next = rest.slice(rest.lastIndexOf('\n') + 1)
      if (next === '' || /^(?:---(?=\s|$)|\.\.\.|%)/.test(next)) return text.slice(0, at)
      throw new BadYaml('after ... a document must begin with ---', at)
    }
    isOpen ||= marker === '---' || !/^\s*(?:#|$)|^%/.test(line)
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
  let [at, tokens, keys, depth] = [0, 0, 0, 0]
  for (const token of new (yaml().Lexer)().lex(text)) {
    tokens += 1
    if (token === ':') keys += 1
    if (token === '[' || token === '{') depth += 1
    if (token === ']' || token === '}') depth -= 1
    if (depth > MAX_DEPTH) throw new BadYaml(`it is nested deeper than ${MAX_DEPTH} levels`, at)
    if (tokens > MOST_TOKENS) throw new BadYaml(`it has more than ${MOST_TOKENS} tokens`, at)
    if (keys > MOST_KEYS) throw new BadYaml(`it has more than ${MOST_KEYS} keys`, at)
    if (!MARKS.has(token)) at += token.length
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
  if (wanted === 'integer')
    return node.kind === 'number' && node.value < 2 ** 63 ? Math.trunc(node.value) : undefined
  if (node.kind === 'boolean') return node.value
  return node.kind === 'string' ? OLD_BOOLEANS.get(node.value) : undefined
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
      else own.push({ key: String(name.value), at: start, value: node })
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
  const text = typeof scalar.value === 'string' ? scalar.value : '' // failsafe: all scalars are texts
  if (scalar.tag === 'tag:yaml.org,2002:binary') {
    return { kind: 'string', at, value: Buffer.from(text, 'base64').toString() }
  }
  if (scalar.tag === 'tag:yaml.org,2002:null') return { kind: 'null', at }
  if (scalar.type !== 'PLAIN' || scalar.tag === 'tag:yaml.org,2002:str') {
    return { kind: 'string', at, value: text }
  }
  const [, type] = /^tag:yaml\.org,2002:(bool|int|float)$/.exec(scalar.tag ?? '') ?? []
  if (type !== undefined && !(type === 'bool' ? BOOLEANS.has(text) : numberOf(text) !== undefined)) {
    throw new BadYaml(`"${text.slice(0, 40)}" is not of its type !!${type}`, at)
  }
  if (NULLS.has(text)) return { kind: 'null', at }
  const truth = BOOLEANS.get(text)
  if (truth !== undefined) return { kind: 'boolean', at, value: truth, text }
  const number = numberOf(text)
  return number === undefined
    ? { kind: 'string', at, value: text }
    : { kind: 'number', at, value: number, text }
}

/** The number that a plain word is, if it is one; a leading 0 makes it octal. */
function numberOf(text: string): number | undefined {
  if (!/^[-+.\d]/.test(text)) return undefined
  const plain = text.replaceAll('_', '')
  const [, sign = '', digits = ''] = /^([-+]?)(.*)$/s.exec(plain) ?? []
  const factor = sign === '-' ? -1 : 1
  if (/^0o?[0-7]+$/i.test(digits)) return factor * Number.parseInt(digits.replace(/^0o?/i, ''), 8)
  if (/^(?:0x[\da-f]+|0b[01]+)$/i.test(digits)) return factor * Number(digits)
  if (/^(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(digits)) return factor * Number(digits)
  return undefined
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
