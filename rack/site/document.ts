// A YAML document that knows where each of its values is, so that every complaint names line and column.

import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type ParsedNode,
  type YAMLMap,
} from 'yaml'
import { nearest } from '#model/nearest.ts'
import { yamlFault } from '#model/yaml-fault.ts'
import { helmValue, NotForHelm, targetsOf } from './helm-yaml.ts'
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
  readonly #document: Document.Parsed
  readonly #root: ParsedNode | null
  readonly #problems: Problem[] = []

  /** @throws {FileProblems} when the text is not YAML, longer than yaml-limits.ts allows, or deeper */
  constructor(file: string, text: string) {
    this.file = file
    refuseLarge(file, text)
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false })
    this.#document = document
    this.#root = document.contents
    for (const error of document.errors) {
      const remedy = 'fix the YAML there: check indentation, quotes and brackets'
      this.#problems.push(
        this.#problem('PL-1001', error.pos[0], yamlFault(error), remedyFor(error.code) ?? remedy),
      )
    }
    if (this.#problems.length > 0) throw new FileProblems(this.#problems.slice(0, 1))
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

  /** Checks that the value at `path` is a mapping with no other keys than these. */
  expectKeys(path: Path, allowed: readonly string[]): boolean {
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
      const guess = nearest(key, allowed)
      const remedy = `${guess === undefined ? '' : `did you mean "${guess}"? `}allowed: ${allowed.join(' ')}`
      this.complain('PL-1002', [...path, key], 'unknown key', remedy)
    }
    return true
  }

  /** Says whether there is a mapping at the path. */
  isMap(path: Path): boolean {
    return isMap(this.#node(path))
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

  /** The text at the path. A number or a boolean counts as its text, since YAML reads `1.36` as a number. */
  text(path: Path): string | undefined {
    const node = this.#node(path)
    if (node === undefined) return undefined
    if (isScalar(node) && node.value !== null) return node.source ?? JSON.stringify(node.value)
    this.complain('PL-1004', path, 'must be a text', 'write one value there')
    return undefined
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
    try {
      return helmValue(this.#node(path), targetsOf(this.#document))
    } catch (error) {
      if (!(error instanceof NotForHelm)) throw error
      const remedy = 'write it as a text in quotes, or as a value that JSON has'
      this.#problems.push(
        this.#problem('PL-1004', error.offset, `${showPath(path)}: ${error.message}`, remedy),
      )
      return undefined
    }
  }

  #node(path: Path): Node | undefined {
    let node: Node | null | undefined = this.#root
    for (const step of path) {
      node = isMap(node) || isSeq(node) ? (node.get(step, true) as Node | undefined) : undefined
    }
    return node ?? undefined
  }

  #offset(path: Path): number {
    const last = path.at(-1)
    const parent = this.#node(path.slice(0, -1))
    if (typeof last === 'string' && isMap(parent)) {
      const pair = (parent as YAMLMap<Node>).items.find(
        item => isScalar(item.key) && String(item.key.value) === last,
      )
      if (pair?.key.range) return pair.key.range[0]
    }
    const own = this.#node(path)
    if (own?.range) return own.range[0]
    return path.length === 0 ? 0 : this.#offset(path.slice(0, -1))
  }

  #problem(code: ProblemCode, offset: number, what: string, remedy: string): Problem {
    const { line, col } = this.#lines.linePos(offset)
    return { code, file: this.file, line: Math.max(line, 1), column: Math.max(col, 1), what, remedy }
  }
}

/** `machines[2].role`. */
function showPath(path: Path): string {
  return path
    .map(step => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '')
}

function keysOf(map: YAMLMap): string[] {
  return map.items.map(({ key }) =>
    isScalar(key) ? JSON.stringify(key.value).replace(/^"(.*)"$/, '$1') : '?',
  )
}

function refuseLarge(file: string, text: string): void {
  const excess = excessOf(text)
  if (excess === undefined) return
  const remedy = 'is that a site file? write its values out, one below the other'
  throw new FileProblems([{ code: 'PL-1010', file, line: excess.line, column: 1, what: excess.what, remedy }])
}
