// A YAML document that knows where each of its values is, so that every complaint names line and column.

import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Node,
  type Pair,
  type ParsedNode,
  type YAMLMap,
} from 'yaml'
import { cleanText } from '#model/clean.ts'
import { nearest } from '#model/nearest.ts'
import { yamlFault } from '#model/yaml-fault.ts'
import { helmValue, NotForHelm, targetsOf, type AliasTargets } from './helm-yaml.ts'
import { FileProblems, type Problem, type ProblemCode } from './problems.ts'
import { excessOf } from './yaml-limits.ts'

/** What fixes a mistake of which more is known than its place. */
function remedyFor(code: string): string | undefined {
  return code === 'MULTIPLE_DOCS'
    ? 'keep one document, and move what is below to a file of its own'
    : undefined
}

/** A place in the document: keys and indexes from the root. */
export type Path = readonly (string | number)[]

/** Reads values of a document and collects what is wrong with them; `finish` throws it all at once. */
export class YamlReader {
  /** The path that complaints name. */
  readonly file: string
  readonly #lines = new LineCounter()
  readonly #root: ParsedNode | null
  readonly #problems: Problem[] = []
  readonly #targets: AliasTargets

  /** @throws {FileProblems} when the text is not YAML, longer than yaml-limits.ts allows, or deeper */
  constructor(file: string, text: string) {
    this.file = file
    refuseLarge(file, text)
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      resolveKnownTags: false, // of YAML 1.1: text() refuses them, and helmValue() reads them as Helm does
    })
    this.#root = document.contents
    // Looking at each node takes a while in a large file, and hardly any has an alias.
    this.#targets = text.includes('*') ? targetsOf(document) : new Map()
    for (const { offset, what } of brokenAliases(this.#targets))
      this.#problems.push(this.#problem('PL-1001', offset, what, 'write the value out there'))
    for (const error of document.errors) {
      const remedy = 'fix the YAML there: check indentation, quotes and brackets'
      this.#problems.push(
        this.#problem('PL-1001', error.pos[0], yamlFault(error), remedyFor(error.code) ?? remedy),
      )
    }
    if (this.#problems.length > 0) throw new FileProblems(this.#problems.slice(0, 1))
  }

  /** How many mistakes were noted so far. */
  get problems(): number {
    return this.#problems.length
  }

  /** Notes a mistake at a path; where the path does not exist, at its nearest parent. */
  complain(code: ProblemCode, path: Path, what: string, remedy: string): void {
    const named = path.length === 0 ? what : `${showPath(path)}: ${what}`
    this.#problems.push(this.#problem(code, this.#offset(path), named, remedy))
  }

  /** @throws {FileProblems} with all mistakes noted so far, in the order of the file */
  finish(): void {
    if (this.#problems.length === 0) return
    throw new FileProblems(this.#problems.toSorted((a, b) => a.line - b.line || a.column - b.column))
  }

  /** Checks that the value at `path` is a mapping with no other keys than these; `elsewhere` has what others are written as. */
  expectKeys(
    path: Path,
    allowed: readonly string[],
    elsewhere: Readonly<Record<string, string>> = {},
  ): boolean {
    const node = this.#node(path)
    if (path.length === 0 && this.#root === null) {
      this.complain(
        'PL-1003',
        path,
        'the file is empty',
        `write the keys ${allowed.join(' ')}${allowed.includes('cluster') ? `; to begin with a draft:  pilotlight init ${this.file} --force` : ''}`,
      )
      return false
    }
    if (!isMap(node)) {
      this.complain('PL-1004', path, 'must be a mapping', `write it as keys: ${allowed.join(' ')}`)
      return false
    }
    for (const key of keysOf(node)) {
      if (allowed.includes(key)) continue
      if (key === '<<') {
        this.refuseMergeKey([...path, key], 'keys')
        continue
      }
      const meant = Object.hasOwn(elsewhere, key) ? elsewhere[key] : undefined
      if (meant !== undefined) {
        this.complain('PL-1002', [...path, key], 'unknown key', `write it as  ${meant}`)
        continue
      }
      const guess = nearest(key, allowed)
      const remedy = `${guess === undefined ? '' : `did you mean "${guess}"? `}allowed: ${allowed.join(' ')}`
      this.complain('PL-1002', [...path, key], 'unknown key', remedy)
    }
    return true
  }

  /** Complains about a merge key, in a mapping of `what`. */
  refuseMergeKey(path: Path, what: 'keys' | 'labels'): void {
    const remedy = `only openstack.values has merge keys, as Helm does: write the ${what} out here`
    this.complain('PL-1002', path, 'a merge key, which a site file does not have', remedy)
  }

  /** Says whether there is a mapping at the path. */
  isMap(path: Path): boolean {
    return isMap(this.#node(path))
  }

  /** Says whether there is a list at the path. */
  isList(path: Path): boolean {
    return isSeq(this.#node(path))
  }

  /** The keys of a mapping, none when it is something else. */
  keys(path: Path): string[] {
    const node = this.#node(path)
    return isMap(node) ? keysOf(node) : []
  }

  /** The number of items of a list; 0 and a complaint when it is something else. */
  length(path: Path, remedy: string): number {
    const node = this.#node(path)
    if (isSeq(node)) return node.items.length
    this.complain(node === undefined ? 'PL-1003' : 'PL-1004', path, 'must be a list', remedy)
    return 0
  }

  /** Says whether there is anything at the path. */
  has(path: Path): boolean {
    return this.#node(path) !== undefined
  }

  /**
   * The text at the path. A number or a boolean counts as its text, since YAML reads `1.36` as a number. What no text of a site
   * file has is a complaint: a tag of YAML that changes what is written, a control character.
   */
  text(path: Path): string | undefined {
    const node = this.#node(path)
    if (node === undefined) return undefined
    if (!isScalar(node) || node.value === null) {
      this.complain('PL-1004', path, 'must be a text', 'write one value there')
      return undefined
    }
    if (node.tag !== undefined && !PLAIN_TAGS.has(node.tag)) {
      const what = `has the tag ${node.tag.replace(/^tag:yaml\.org,2002:/, '!!')}, which is not resolved`
      this.complain('PL-1004', path, what, 'write the value itself there, without a tag')
      return undefined
    }
    const text = node.source ?? JSON.stringify(node.value)
    if (text.length > LONGEST_TEXT) {
      const what = `has ${text.length} characters; at most ${LONGEST_TEXT} are read`
      this.complain('PL-1010', path, what, 'shorten it')
      return undefined
    }
    const [unsafe] = /(?![\n\r\t])[\p{Cc}\p{Cs}]/u.exec(text) ?? []
    if (unsafe === undefined) return text
    const named = `U+${(unsafe.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
    this.complain('PL-1004', path, `contains the character ${named}, which no text has`, 'take it out')
    return undefined
  }

  /** The text at the path, of which no complaint repeats anything: it may be a secret that was written there by mistake. */
  secretText(path: Path, remedy: string): string | undefined {
    const node = this.#node(path)
    if (node === undefined) return undefined
    const text = isScalar(node) && typeof node.value === 'string' ? node.value : undefined
    if (
      text !== undefined &&
      text.length <= LONGEST_TEXT &&
      (node.tag === undefined || PLAIN_TAGS.has(node.tag))
    ) {
      if (!/(?![\n\r\t])[\p{Cc}\p{Cs}]/u.test(text)) return text
    }
    this.complain('PL-1004', path, `must be a plain text of at most ${LONGEST_TEXT} characters`, remedy)
    return undefined
  }

  /** The texts of the list at the path, those that are none as empty ones; none and a complaint when it is something else. */
  texts(path: Path, remedy: string): string[] {
    const length = this.length(path, remedy)
    return Array.from({ length }, (_, index) => this.requiredText([...path, index], remedy) ?? '')
  }

  /** The text at the path, or undefined and a complaint that it is missing. */
  requiredText(path: Path, remedy: string): string | undefined {
    const text = this.text(path)
    if (text === undefined && !this.has(path)) this.complain('PL-1003', path, 'missing', remedy)
    return text
  }

  /** The whole value at the path as plain data. */
  plain(path: Path): unknown {
    return this.#node(path)?.toJSON()
  }

  /** The whole value at the path as Helm reads it, where `no` is false; what Helm refuses is a complaint. */
  helmValue(path: Path): unknown {
    const node = this.#node(path)
    try {
      return helmValue(node, this.#targets)
    } catch (error) {
      if (!(error instanceof NotForHelm)) throw error
      const place = showPath([...path, ...pathTo(node, error.offset)])
      const remedy = 'write it as a text in quotes, or as a value that JSON has'
      this.#problems.push(this.#problem('PL-1004', error.offset, `${place}: ${error.message}`, remedy))
      return undefined
    }
  }

  #node(path: Path): Node | undefined {
    let node: Node | null | undefined = this.#root
    for (const step of path) {
      if (isMap(node)) node = pairOf(node, String(step))?.value as Node | null | undefined
      else node = isSeq(node) ? (node.get(step, true) as Node | undefined) : undefined
      if (isAlias(node)) node = this.#targets.get(node)
    }
    return node ?? undefined
  }

  #offset(path: Path): number {
    const last = path.at(-1)
    const parent = this.#node(path.slice(0, -1))
    if (typeof last === 'string' && isMap(parent)) {
      const { key } = pairOf(parent, last) ?? {}
      if (isScalar(key) && key.range) return key.range[0]
    }
    const own = this.#node(path)
    if (own?.range) return own.range[0]
    return path.length === 0 ? 0 : this.#offset(path.slice(0, -1))
  }

  #problem(code: ProblemCode, offset: number, what: string, remedy: string): Problem {
    const { line, col } = this.#lines.linePos(offset)
    const place = { file: this.file, line: Math.max(line, 1), column: Math.max(col, 1) }
    return { code, ...place, what: cleanText(what, LONGEST_MESSAGE), remedy }
  }
}

/** Characters of what is said of a mistake: it quotes values, which may have any length. */
const LONGEST_MESSAGE = 600
/** Characters of a text of a site file. Helm values have no such limit. */
export const LONGEST_TEXT = 4096
/** Tags that leave a text as it is written. */
const PLAIN_TAGS: ReadonlySet<string> = new Set(
  ['str', 'int', 'float', 'bool'].map(name => `tag:yaml.org,2002:${name}`),
)

/** `machines[2].role`. */
function showPath(path: Path): string {
  return path
    .map(step => (typeof step === 'number' ? `[${step}]` : `.${JSON.stringify(step).slice(1, -1)}`))
    .join('')
    .replace(/^\./, '')
}

function keysOf(map: YAMLMap): string[] {
  return map.items.map(({ key }) => keyText(key))
}

/** A key as it is written: `012` and `no` are no other words than these. One that is not a text is `?`. */
function keyText(key: unknown): string {
  return isScalar(key) ? (key.source ?? String(key.value)) : '?'
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find(item => keyText(item.key) === key)
}

/** The way from `node` to what begins at `offset`. */
function pathTo(node: unknown, offset: number): Path {
  const holds = (one: unknown) =>
    (isMap(one) || isSeq(one) || isScalar(one) || isAlias(one)) &&
    one.range !== undefined &&
    one.range !== null &&
    one.range[0] <= offset &&
    offset <= one.range[1]
  if (isMap(node)) {
    const pair = node.items.find(({ key, value }) => holds(key) || holds(value))
    return pair === undefined ? [] : [keyText(pair.key), ...pathTo(pair.value, offset)]
  }
  const index = isSeq(node) ? node.items.findIndex(holds) : -1
  return isSeq(node) && index >= 0 ? [index, ...pathTo(node.items[index], offset)] : []
}

/** The aliases that name nothing, and those that are inside of what they name, each with what is wrong with it. */
function brokenAliases(targets: AliasTargets): { readonly offset: number; readonly what: string }[] {
  return [...targets].flatMap(([alias, target]) => {
    const { source, range } = alias
    const offset = range?.[0] ?? 0
    if (target === undefined) return [{ offset, what: `there is no anchor &${source} before *${source}` }]
    const isInside = target.range && target.range[0] <= offset && offset < target.range[1]
    return isInside ? [{ offset, what: `the alias *${source} is inside of what it names` }] : []
  })
}

function refuseLarge(file: string, text: string): void {
  const excess = excessOf(text)
  if (excess === undefined) return
  const remedy = 'is that a site file? write its values out, one below the other'
  throw new FileProblems([{ code: 'PL-1010', file, line: excess.line, column: 1, what: excess.what, remedy }])
}
