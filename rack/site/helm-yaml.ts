// YAML as Helm reads values: sigs.k8s.io/yaml, which is go-yaml v2 and then JSON. Plain words have the meaning of YAML 1.1
// (`no` is false, `0644` is 420), whereas the rest of a site file has that of YAML 1.2, where both are texts or decimals.

import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  Scalar,
  visit,
  type Alias,
  type Document,
  type Node,
  type Pair,
} from 'yaml'
import { yamlFault } from '#model/yaml-fault.ts'
import { excessOf } from './yaml-limits.ts'

/** A value that Helm refuses, or that cannot be read; `offset` is where it is in the text. */
export class NotForHelm extends Error {
  readonly code = 'NOT_FOR_HELM'
  readonly offset: number
  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

/**
 * The first document of a text as Helm reads a file of values: of a key written twice the last one counts, and `<<` takes
 * effect where it is written. An empty document is null.
 *
 * @throws {NotForHelm} with `file:line:column` in its message
 */
export function parseHelmYaml(file: string, text: string): unknown {
  const excess = excessOf(text)
  if (excess !== undefined) throw new NotForHelm(`${file}:${excess.line}:1 ${excess.what}`, 0)
  const lineCounter = new LineCounter()
  const documents = parseAllDocuments(text, { ...AS_WRITTEN, lineCounter })
  const document = Array.isArray(documents) ? documents[0] : undefined
  if (document === undefined) return null
  try {
    const [error] = document.errors
    if (error !== undefined) throw new NotForHelm(yamlFault(error), error.pos[0])
    const { explicit, version } = document.directives?.yaml ?? {}
    if (explicit === true && version !== '1.1')
      throw new NotForHelm(`it says %YAML ${version}, and Helm reads only 1.1: leave the line out`, 0)
    return helmValue(document.contents, targetsOf(document))
  } catch (error) {
    if (!(error instanceof NotForHelm)) throw error
    const { line, col } = lineCounter.linePos(error.offset)
    throw new NotForHelm(`${file}:${Math.max(1, line)}:${Math.max(1, col)} ${error.message}`, error.offset)
  }
}

const AS_WRITTEN = {
  schema: 'failsafe',
  uniqueKeys: false,
  prettyErrors: false,
  resolveKnownTags: false,
  merge: false,
  logLevel: 'silent',
} as const

/** What each alias of a document names: the last node with that anchor before it, or undefined. */
export type AliasTargets = ReadonlyMap<Alias, Node | undefined>

/** The aliases of a document, in its order. */
export function targetsOf(document: Document): AliasTargets {
  const anchors = new Map<string, Node>()
  const targets = new Map<Alias, Node | undefined>()
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) targets.set(node, anchors.get(node.source))
      else if (node.anchor !== undefined) anchors.set(node.anchor, node)
    },
  })
  return targets
}

/**
 * The value of a node, as Helm would have it; it is JSON.
 *
 * @throws {NotForHelm} for a number that JSON does not have, a key that is not a text, an alias inside what it names
 */
export function helmValue(node: unknown, targets: AliasTargets): unknown {
  return new Reader(targets).value(node, 0, 0)
}

/** Nodes that aliases may unfold to. */
const MOST_NODES = 200_000
/** Levels of nesting, aliases unfolded: an anchor that holds itself has no end. */
const DEEPEST = 100

class Reader {
  readonly #targets: AliasTargets
  #left = MOST_NODES

  constructor(targets: AliasTargets) {
    this.#targets = targets
  }

  value(node: unknown, around: number, depth: number): unknown {
    const at = offsetOf(node) ?? around
    this.#left -= 1
    if (this.#left < 0) throw new NotForHelm(`its aliases unfold to more than ${MOST_NODES} values`, at)
    if (depth > DEEPEST) throw new NotForHelm(`its values are more than ${DEEPEST} deep in one another`, at)
    if (isAlias(node)) return this.value(this.#targetOf(node, at), at, depth + 1)
    if (isSeq(node)) return node.items.map(item => this.value(item, at, depth + 1))
    if (isMap(node)) {
      const members: Members = new Map()
      this.#addMembers(members, node.items, at, depth)
      return Object.fromEntries([...members].map(([key, { value }]) => [key, value]))
    }
    return isScalar(node) ? valueOf(node, at) : null
  }

  #targetOf(alias: Alias, at: number): Node {
    const target = this.#targets.get(alias)
    if (target === undefined) throw new NotForHelm(`there is no anchor &${alias.source} before it`, at)
    return target
  }

  #addMembers(members: Members, pairs: readonly Pair[], around: number, depth: number): void {
    if (depth > DEEPEST)
      throw new NotForHelm(`its values are more than ${DEEPEST} deep in one another`, around)
    for (const { key, value } of pairs) {
      const at = offsetOf(key) ?? around
      if (isMerge(key)) this.#merge(members, value, at, depth)
      else {
        const { text, type } = keyOf(this.value(key, at, depth + 1), key, at)
        if ((members.get(text)?.type ?? type) !== type)
          throw new NotForHelm(`the key "${text}" is written twice, with and without quotes`, at)
        members.set(text, { type, value: this.value(value, at, depth + 1) })
      }
    }
  }

  /** Of several maps the first has the last word. */
  #merge(members: Members, node: unknown, at: number, depth: number): void {
    const maps = isSeq(node) ? node.items.toReversed() : [node]
    for (const one of maps) {
      const map = isAlias(one) ? this.#targetOf(one, at) : one
      this.#left -= 1
      if (this.#left < 0) throw new NotForHelm(`its aliases unfold to more than ${MOST_NODES} values`, at)
      if (!isMap(map)) throw new NotForHelm('"<<" takes a mapping, or a list of mappings', at)
      this.#addMembers(members, map.items, at, depth + 1)
    }
  }
}

type Members = Map<string, { readonly type: string; readonly value: unknown }>

function isMerge(key: unknown): boolean {
  return (
    isScalar(key) &&
    textOf(key) === '<<' &&
    (key.tag === `${STANDARD}merge` || (key.tag === undefined && key.type === Scalar.PLAIN))
  )
}

/** A key as JSON has it, and the type that it has in Go, where the key 12 and the key "12" are two. */
type Key = { readonly text: string; readonly type: string }

/**
 * Keys of JSON are texts: sigs.k8s.io/yaml writes booleans and numbers as such, and refuses null and what is more than 63 bits.
 * It writes a float with the digits that one of 32 bits needs: those of more than six digits are refused here.
 */
function keyOf(key: unknown, node: unknown, at: number): Key {
  if (typeof key === 'string' || typeof key === 'boolean') return { text: String(key), type: typeof key }
  if (typeof key === 'number') {
    const integer = isScalar(node) && node.tag === undefined ? integerOf(plainOf(textOf(node))) : undefined
    if (integer !== undefined && integer < 1n << 63n) return { text: String(integer), type: 'integer' }
    if (integer === undefined && Number(key.toPrecision(6)) === key)
      return { text: floatText(key), type: 'float' }
  }
  throw new NotForHelm('a key must be a text: put it in quotes', at)
}

/** As Go's format `g` has it: 1.5, 1e+06, 1e-05. */
function floatText(number: number): string {
  const [mantissa = '', exponent = ''] = number.toExponential().split('e')
  const power = Number(exponent)
  if (power >= -4 && power < 6) return Object.is(number, -0) ? '-0' : String(number)
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

const STANDARD = 'tag:yaml.org,2002:'
/** As Go's decoder wants it: padded, without other characters than line ends between. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function valueOf(scalar: Scalar, at: number): unknown {
  const text = textOf(scalar)
  const { tag } = scalar
  if (tag === undefined) return scalar.type === Scalar.PLAIN ? plainValue(text, at) : text
  if (tag === `${STANDARD}binary`) {
    if (!BASE64.test(text.replaceAll(/[\r\n]/g, ''))) throw new NotForHelm(`"${text}" is not base64`, at)
    return Buffer.from(text, 'base64').toString()
  }
  const wanted = RESOLVED.get(tag)
  if (wanted === undefined) return text // a text by its tag, or a tag that go-yaml does not know
  const value = plainValue(text, at)
  if (wanted !== 'timestamp' && !kindsOf(value, text).includes(wanted))
    throw new NotForHelm(`"${text}" is not what its tag says`, at)
  return value
}

/** The tags by which a text, also one in quotes, is read as a plain word is, and what it must be then. */
const RESOLVED: ReadonlyMap<string, string> = new Map(
  ['bool', 'int', 'float', 'null', 'timestamp'].map(name => [`${STANDARD}${name}`, name] as const),
)

/** The tags that a value may have; an integer may also be called a float. */
function kindsOf(value: unknown, text: string): readonly string[] {
  if (value === null) return ['null']
  if (typeof value === 'number') return integerOf(plainOf(text)) === undefined ? ['float'] : ['int', 'float']
  return typeof value === 'boolean' ? ['bool'] : []
}

function textOf({ source, value }: Scalar): string {
  return source ?? (typeof value === 'string' ? value : '')
}

/** What go-yaml v2 makes of a word without quotes and tag. A date is a text to Helm, a number of base 60 too. */
function plainValue(text: string, at: number): unknown {
  const known = WORDS.get(text)
  if (known !== undefined || text === '') return known ?? null
  if (NULLS.has(text)) return null
  if (NOT_JSON.has(text)) throw new NotForHelm(`"${text}" is not a number that JSON has: Helm refuses it`, at)
  return /^[-+.\d]/.test(text) ? (numberOf(text) ?? text) : text
}

/** The number that a word is, if it is one: underscores do not count, and a 0 before other digits makes it octal. */
function numberOf(text: string): number | undefined {
  const plain = plainOf(text)
  const integer = integerOf(plain)
  if (integer !== undefined) return Number(integer)
  if (!/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(plain)) return undefined
  const number = Number(plain)
  return Number.isFinite(number) ? number : undefined
}

/** Without its underscores: those of a word that begins with a dot must be between digits. */
function plainOf(text: string): string {
  return text.startsWith('.') && /(?<!\d)_|_(?!\d)/.test(text) ? text : text.replaceAll('_', '')
}

/** An integer as `strconv.ParseInt` with base 0 reads it, from -2^63 to 2^64-1. */
function integerOf(plain: string): bigint | undefined {
  const [, sign = '', digits = ''] = /^([-+]?)(.*)$/s.exec(plain) ?? []
  const based = /^0o?[0-7]+$/i.test(digits) ? `0o${digits.replace(/^0o?/i, '')}` : digits
  if (!/^(?:0o[0-7]+|0x[\da-f]+|0b[01]+|0|[1-9]\d*)$/i.test(based)) return undefined
  const size = BigInt(based.toLowerCase())
  // Only a number without a sign is tried as an unsigned one.
  const most = sign === '' ? (1n << 64n) - 1n : sign === '+' ? (1n << 63n) - 1n : 1n << 63n
  if (size > most) return undefined
  return sign === '-' ? -size : size
}

const NULLS: ReadonlySet<string> = new Set(['~', 'null', 'Null', 'NULL'])
const NOT_JSON: ReadonlySet<string> = new Set(
  ['.inf', '.Inf', '.INF'].flatMap(word => [word, `+${word}`, `-${word}`]).concat('.nan', '.NaN', '.NAN'),
)
const WORDS: ReadonlyMap<string, boolean> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map(it => [it, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map(
    it => [it, false] as const,
  ),
])

function offsetOf(node: unknown): number | undefined {
  return isAlias(node) || isMap(node) || isSeq(node) || isScalar(node) ? node.range?.[0] : undefined
}
