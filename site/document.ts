// A YAML document that knows where each of its values stands, so that every complaint names line and column.

import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Node, ParsedNode, YAMLMap } from 'yaml'
import { nearest } from '#progress/nearest.ts'
import { FileProblems } from './problems.ts'
import type { Problem, ProblemCode } from './problems.ts'

/** A place in the document: keys and indexes from the root. */
export type Path = readonly (string | number)[]

/** Reads values of a document and collects what is wrong with them; `finish` throws it all at once. */
export class YamlReader {
  /** The path that complaints name. */
  readonly file: string
  readonly #lines = new LineCounter()
  readonly #root: ParsedNode | null
  readonly #problems: Problem[] = []

  /** @throws {FileProblems} when the text is not YAML */
  constructor(file: string, text: string) {
    this.file = file
    const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false })
    this.#root = document.contents
    for (const error of document.errors) {
      const mend = 'mend the YAML there: check indentation, quotes and brackets'
      this.#problems.push(this.#problem('PL-1001', error.pos[0], error.message, mend))
    }
    if (this.#problems.length > 0) throw new FileProblems(this.#problems.slice(0, 1))
  }

  /** Notes a mistake at a path; where the path does not exist, at its nearest parent. */
  complain(code: ProblemCode, path: Path, what: string, mend: string): void {
    const named = path.length === 0 ? what : `${showPath(path)}: ${what}`
    this.#problems.push(this.#problem(code, this.#offset(path), named, mend))
  }

  /** @throws {FileProblems} with all mistakes noted so far, in the order of the file */
  finish(): void {
    if (this.#problems.length === 0) return
    throw new FileProblems(this.#problems.toSorted((a, b) => a.line - b.line || a.column - b.column))
  }

  /** Checks that the value at `path` is a mapping with no other keys than these. */
  expectKeys(path: Path, allowed: readonly string[]): boolean {
    const node = this.#node(path)
    if (!isMap(node)) {
      this.complain('PL-1004', path, 'must be a mapping', `write it as keys: ${allowed.join(' ')}`)
      return false
    }
    for (const key of keysOf(node)) {
      if (allowed.includes(key)) continue
      const guess = nearest(key, allowed)
      const mend = `${guess === undefined ? '' : `did you mean "${guess}"? `}allowed: ${allowed.join(' ')}`
      this.complain('PL-1002', [...path, key], 'unknown key', mend)
    }
    return true
  }

  /** Says whether a mapping stands at the path. */
  isMap(path: Path): boolean {
    return isMap(this.#node(path))
  }

  /** The keys of a mapping, none when it is something else. */
  keys(path: Path): string[] {
    const node = this.#node(path)
    return isMap(node) ? keysOf(node) : []
  }

  /** The number of items of a list; 0 and a complaint when it is something else. */
  length(path: Path, mend: string): number {
    const node = this.#node(path)
    if (isSeq(node)) return node.items.length
    this.complain(node === undefined ? 'PL-1003' : 'PL-1004', path, 'must be a list', mend)
    return 0
  }

  /** Says whether anything stands at the path. */
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
  requiredText(path: Path, mend: string): string | undefined {
    const text = this.text(path)
    if (text === undefined && !this.has(path)) this.complain('PL-1003', path, 'missing', mend)
    return text
  }

  /** The whole value at the path as plain data. */
  plain(path: Path): unknown {
    return this.#node(path)?.toJSON()
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

  #problem(code: ProblemCode, offset: number, what: string, mend: string): Problem {
    const { line, col } = this.#lines.linePos(offset)
    return { code, file: this.file, line: Math.max(line, 1), column: Math.max(col, 1), what, mend }
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
