// Reads JSON into a tree with places. JSON.parse would drop two things that decide whether Ignition takes a config:
// how a number was written, and that a key was there twice.

import type { Member, Node } from './tree.ts'

/** Text that is not JSON. */
export class BadJson extends Error {
  readonly code = 'BAD_JSON'
  /** Where reading stopped, as an offset into the text. */
  readonly offset: number
  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

/** Levels of nesting that are read; no config has more than a dozen. */
const MAX_DEPTH = 500

/**
 * Reads one JSON value (RFC 8259) and nothing after it.
 *
 * @throws {BadJson} with the offset
 */
export function parseJson(text: string): Node {
  const parser = new Parser(text)
  const node = parser.value(0)
  parser.end()
  return node
}

/** What keeps a text from being JSON; undefined where nothing does. */
export function faultIn(text: string): BadJson | undefined {
  try {
    parseJson(text)
    return undefined
  } catch (error) {
    if (!(error instanceof BadJson)) throw error
    return error
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /[a-z]{1,6}/y
const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
])

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): Node {
    if (depth > MAX_DEPTH) throw this.#bad(`it is nested deeper than ${MAX_DEPTH} levels`)
    this.#skipSpace()
    const at = this.#at
    switch (this.#text[at]) {
      case '{':
        return { kind: 'object', at, members: this.#members(depth) }
      case '[':
        return { kind: 'list', at, items: this.#items(depth) }
      case '"':
        return { kind: 'string', at, value: this.#string() }
      default:
        return this.#word(at) ?? this.#number(at)
    }
  }

  end(): void {
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#bad('something follows after its end')
  }

  #members(depth: number): Member[] {
    const members: Member[] = []
    this.#at += 1
    if (this.#take('}')) return members
    do {
      this.#skipSpace()
      const at = this.#at
      if (this.#text[at] !== '"') throw this.#bad('a key in quotes is wanted')
      const key = this.#string()
      if (!this.#take(':')) throw this.#bad(`a colon is wanted after the key "${key}"`)
      members.push({ key, at, value: this.value(depth + 1) })
    } while (this.#take(','))
    if (!this.#take('}')) throw this.#bad('a comma or } is wanted')
    return members
  }

  #items(depth: number): Node[] {
    const items: Node[] = []
    this.#at += 1
    if (this.#take(']')) return items
    do items.push(this.value(depth + 1))
    while (this.#take(','))
    if (!this.#take(']')) throw this.#bad('a comma or ] is wanted')
    return items
  }

  #string(): string {
    const from = this.#at
    let to = from + 1
    let isPlain = true
    for (; ; to += 1) {
      const code = this.#text.charCodeAt(to) // NaN after the end
      if (code === 0x22) break
      if (code === 0x5c) {
        to += 1
        isPlain = false
      } else if (!(code >= 0x20)) throw this.#bad('the text is not ended by a quote', to)
    }
    this.#at = to + 1
    if (isPlain) return this.#text.slice(from + 1, to).toWellFormed()
    try {
      return (JSON.parse(this.#text.slice(from, this.#at)) as string).toWellFormed()
    } catch {
      throw this.#bad('a text holds a bad escape', from)
    }
  }

  #word(at: number): Node | undefined {
    WORD.lastIndex = at
    const [word = ''] = WORD.exec(this.#text) ?? []
    const value = WORDS.get(word)
    if (value === undefined) return undefined
    this.#at += word.length
    return value === null ? { kind: 'null', at } : { kind: 'boolean', at, value, text: word }
  }

  #number(at: number): Node {
    NUMBER.lastIndex = at
    const [text] = NUMBER.exec(this.#text) ?? []
    if (text === undefined) {
      if (at < this.#text.length) throw this.#bad('a value is wanted')
      throw this.#bad(this.#text.trim() === '' ? 'it is empty' : 'it ends in the middle')
    }
    this.#at += text.length
    return { kind: 'number', at, value: Number(text), text }
  }

  #take(mark: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== mark) return false
    this.#at += 1
    return true
  }

  #skipSpace(): void {
    for (; ; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
    }
  }

  #bad(message: string, at = this.#at): BadJson {
    return new BadJson(message, Math.min(at, this.#text.length))
  }
}
