// One JSON file of a data directory as the linter sees it: its text, its object if it can be read, and where in the
// text each part of it is.

import { BadJson, parseJson } from '../../formats/ignition/json.ts'
import { type Node, offsetOf, type Path, placeAt } from '../../formats/ignition/tree.ts'
import type { Findings, FilePlace } from './findings.ts'

/** A group or a profile with its file. */
export class Document<T> {
  /** Below the data directory. */
  readonly file: string
  /** The name by which others refer to it: that of the file, without folder and `.json`. */
  readonly name: string
  readonly object: T
  readonly #text: string
  readonly #root: Node

  constructor(file: string, name: string, text: string, root: Node, object: T) {
    this.file = file
    this.name = name
    this.object = object
    this.#text = text
    this.#root = root
  }

  /** The same file, read as this object. */
  holding<U>(object: U): Document<U> {
    return new Document(this.file, this.name, this.#text, this.#root, object)
  }

  /** The place of the value at `path`, or of its nearest ancestor. */
  at(...path: Path): FilePlace {
    return { file: this.file, ...placeAt(this.#text, offsetOf(this.#root, path)) }
  }
}

/** Reads a JSON text into a tree; undefined, and a finding, when it is none. */
export function readTree(file: string, text: string, findings: Findings): Node | undefined {
  const remedy = 'fix the JSON: no comments, no comma at the end, nothing after the last brace'
  if (text.startsWith('\uFEFF')) {
    findings.error(
      'PL-2001',
      { file, line: 1, column: 1 },
      'begins with a byte order mark',
      'save it without',
    )
    return undefined
  }
  try {
    return parseJson(text)
  } catch (error) {
    if (!(error instanceof BadJson)) throw error
    findings.error('PL-2001', { file, ...placeAt(text, error.offset) }, error.message, remedy)
    return undefined
  }
}
