// Turns tokens into the tree of a template and of those that it defines.

import { GoTemplateError } from './failure.ts'
import { FUNCTION_NAMES } from './functions.ts'
import { tokensOf, type Token, type TokenKind } from './lexer.ts'
import { literalOf } from './literals.ts'
import type { Command, List, Node, Operand, Pipe } from './nodes.ts'

/** A parsed template: the body, the templates defined in it by name, and how many tokens all of them have. */
export type Parsed = {
  readonly body: List
  readonly defined: ReadonlyMap<string, List>
  readonly tokens: number
}

/**
 * Parses the source of a template.
 *
 * @throws {GoTemplateError} with line and column
 */
export function parse(source: string): Parsed {
  const parser = new Parser(source)
  parser.whole()
  return { body: parser.defined.get('') ?? [], defined: parser.defined, tokens: parser.tokens }
}

/** Where a list of nodes stopped. */
type Stop = { readonly word: 'end' | 'else'; readonly at: number }

class Parser {
  readonly defined = new Map<string, List>()
  readonly #source: string
  readonly #tokens: readonly Token[]
  #next = 0
  /** Variables in scope, innermost last. */
  #variables: string[] = ['$']
  #rangeDepth = 0

  constructor(source: string) {
    this.#source = source
    this.#tokens = tokensOf(source)
  }

  get tokens(): number {
    return this.#tokens.length
  }

  /** Reads all of it. The body is the template without a name, which may be defined in place of it. */
  whole(): void {
    const nodes: Node[] = []
    while (this.#peek().kind !== 'end') {
      if (this.#isAction('define')) {
        this.#definition()
        continue
      }
      const node = this.#node()
      if ('word' in node) throw this.#fail(node.at, `{{${node.word}}} has nothing to end`)
      nodes.push(node)
    }
    this.#add('', 0, nodes)
  }

  #definition(): void {
    this.#take() // {{
    const at = this.#word().at // define
    const name = this.#name('define')
    this.#expect('close', 'after the name of a definition')
    this.#add(
      name,
      at,
      this.#ownScope(() => this.#listUntilEnd(at, 'define')),
    )
  }

  /** A template may be defined again as long as one of both is nothing but space. */
  #add(name: string, at: number, list: List): void {
    const before = this.defined.get(name)
    if (before !== undefined && !isEmpty(before)) {
      if (isEmpty(list)) return
      throw this.#fail(at, `template "${name}" is defined twice`)
    }
    this.defined.set(name, list)
  }

  #ownScope(read: () => List): List {
    const [variables, depth] = [this.#variables, this.#rangeDepth]
    this.#variables = ['$']
    this.#rangeDepth = 0
    const list = read()
    this.#variables = variables
    this.#rangeDepth = depth
    return list
  }

  #listUntilEnd(at: number, what: string): List {
    const { list, stop } = this.#list(at, what)
    if (stop.word === 'else') throw this.#fail(stop.at, `{{else}} has no place in {{${what}}}`)
    this.#expect('close', 'after end')
    return list
  }

  /** Nodes up to an `end` or `else`, whose word is taken, what follows it not. */
  #list(at: number, what: string): { list: List; stop: Stop } {
    const list: Node[] = []
    while (this.#peek().kind !== 'end') {
      const node = this.#node()
      if ('word' in node) return { list, stop: node }
      list.push(node)
    }
    throw this.#fail(at, `{{${what}}} has no {{end}}`)
  }

  #node(): Node | Stop {
    const token = this.#take()
    if (token.kind === 'text') return { kind: 'text', at: token.at, text: token.text }
    const word = this.#peekWord()
    if (word.kind !== 'keyword') {
      const pipe = this.#pipe('close', 'a command')
      return { kind: 'action', at: word.at, pipe }
    }
    this.#word()
    return this.#statement(word)
  }

  #statement({ text, at }: Token): Node | Stop {
    switch (text) {
      case 'if':
      case 'with':
      case 'range':
        return this.#control(text, at)
      case 'break':
      case 'continue':
        if (this.#rangeDepth === 0) throw this.#fail(at, `{{${text}}} is outside of {{range}}`)
        this.#expect('close', `after ${text}`)
        return { kind: text, at }
      case 'template': {
        const name = this.#name('template')
        return { kind: 'template', at, name, pipe: this.#pipeOrNone() }
      }
      case 'block': {
        const name = this.#name('block')
        const pipe = this.#pipe('close', 'block')
        this.#add(
          name,
          at,
          this.#ownScope(() => this.#listUntilEnd(at, 'block')),
        )
        return { kind: 'template', at, name, pipe }
      }
      case 'end':
      case 'else':
        return { word: text, at }
      default:
        throw this.#fail(at, `{{${text}}} has no place here`)
    }
  }

  #control(kind: 'if' | 'with' | 'range', at: number): Node {
    const scope = this.#variables.length
    const pipe = this.#pipe('close', kind)
    if (kind === 'range') this.#rangeDepth += 1
    const { list, stop } = this.#list(at, kind)
    if (kind === 'range') this.#rangeDepth -= 1
    const otherwise = stop.word === 'else' ? this.#otherwise(kind, at) : []
    if (stop.word === 'end') this.#expect('close', 'after end')
    this.#variables.length = scope
    return { kind, at, pipe, list, otherwise }
  }

  /** What follows `else`: a list, or one more condition that shares the `end`. */
  #otherwise(kind: 'if' | 'with' | 'range', at: number): List {
    const word = this.#peekWord()
    if (kind !== 'range' && word.kind === 'keyword' && word.text === kind) {
      this.#word()
      return [this.#control(kind, word.at)]
    }
    this.#expect('close', 'after else')
    const { list, stop } = this.#list(at, kind)
    if (stop.word === 'else') throw this.#fail(stop.at, 'a second {{else}}; write {{end}}')
    this.#expect('close', 'after end')
    return list
  }

  #pipeOrNone(): Pipe | undefined {
    if (this.#peekWord().kind !== 'close') return this.#pipe('close', 'template')
    this.#word()
    return undefined
  }

  /** Commands up to the token `stop`, which is taken. */
  #pipe(stop: 'close' | 'right', what: string): Pipe {
    const { at } = this.#peekWord()
    const { variables, assigns } = this.#declarations(what)
    const commands: Command[] = []
    for (;;) {
      const token = this.#peekWord()
      if (token.kind === stop) break
      if (!OPERANDS.has(token.kind)) throw this.#unexpected(token, what)
      commands.push(this.#command(stop))
    }
    const end = this.#word()
    if (commands.length === 0) throw this.#fail(end.at, `${what} has no value`)
    for (const { at: place, words } of commands.slice(1)) {
      if (['literal', 'dot', 'nil'].includes(words[0].kind))
        throw this.#fail(place, 'what follows a | must be a function')
    }
    return { kind: 'pipe', at, variables, assigns, commands }
  }

  #declarations(what: string): { variables: string[]; assigns: boolean } {
    const variables: string[] = []
    for (;;) {
      const start = this.#next
      const token = this.#peekWord()
      if (token.kind !== 'variable') break
      this.#word()
      const after = this.#peekWord()
      if (after.kind === 'declare' || after.kind === 'assign') {
        this.#word()
        variables.push(token.text)
        this.#variables.push(token.text)
        return { variables, assigns: after.kind === 'assign' }
      }
      if (after.kind !== 'comma') {
        this.#next = start
        break
      }
      if (what !== 'range' || variables.length > 0)
        throw this.#fail(after.at, `too many variables in ${what}`)
      this.#word()
      variables.push(token.text)
      this.#variables.push(token.text)
    }
    const token = this.#peekWord()
    if (variables.length > 0) throw this.#unexpected(token, 'the second variable of range')
    return { variables, assigns: false }
  }

  #command(stop: 'close' | 'right'): Command {
    const { at } = this.#peekWord()
    const words: [Operand, ...Operand[]] = [this.#operand()]
    for (;;) {
      const token = this.#peek()
      if (token.kind === 'space') this.#take()
      else if (token.kind === 'pipe') {
        this.#take()
        break
      } else if (token.kind === stop) break
      else throw this.#unexpected(token, 'an operand')
      const word = this.#peekWord()
      if (OPERANDS.has(word.kind)) words.push(this.#operand())
    }
    return { at, words }
  }

  /** A term and the fields that follow it without space. */
  #operand(): Operand {
    const term = this.#term()
    const path: string[] = []
    while (this.#peek().kind === 'field') path.push(this.#take().text.slice(1))
    if (path.length === 0) return term
    if (term.kind === 'field' || term.kind === 'variable') return { ...term, path: [...term.path, ...path] }
    if (term.kind === 'literal' || term.kind === 'nil' || term.kind === 'dot')
      throw this.#fail(term.at, 'a . cannot follow this')
    return { kind: 'chain', at: term.at, of: term, path }
  }

  #term(): Operand {
    const { kind, text, at } = this.#word()
    switch (kind) {
      case 'identifier':
        if (!FUNCTION_NAMES.has(text)) throw this.#fail(at, `function "${text}" is not defined`)
        return { kind: 'function', at, name: text }
      case 'dot':
      case 'nil':
        return { kind, at }
      case 'field':
        return { kind, at, path: [text.slice(1)] }
      case 'variable':
        if (!this.#variables.includes(text)) throw this.#fail(at, `variable ${text} is not defined`)
        return { kind, at, name: text, path: [] }
      case 'left':
        return this.#pipe('right', 'a parenthesis')
      default: {
        const value = literalOf(kind, text)
        if (value === undefined) throw this.#fail(at, `${text} cannot be read`)
        const overflows = typeof value === 'bigint' && BigInt.asIntN(64, value) !== value
        return { kind: 'literal', at, value, text, overflows }
      }
    }
  }

  #name(what: string): string {
    const { kind, text, at } = this.#word()
    const name = kind === 'string' || kind === 'raw' ? literalOf(kind, text) : undefined
    if (typeof name !== 'string') throw this.#fail(at, `{{${what}}} wants a name in quotes`)
    return name
  }

  #isAction(word: string): boolean {
    if (this.#peek().kind !== 'open') return false
    const start = this.#next
    this.#take()
    const { kind, text } = this.#peekWord()
    this.#next = start
    return kind === 'keyword' && text === word
  }

  #expect(kind: TokenKind, where: string): void {
    const token = this.#word()
    if (token.kind !== kind) throw this.#unexpected(token, where)
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? END
  }

  #take(): Token {
    const token = this.#peek()
    this.#next += 1
    return token
  }

  /** The next token that is not a space; spaces before it are taken. */
  #peekWord(): Token {
    while (this.#peek().kind === 'space') this.#next += 1
    return this.#peek()
  }

  #word(): Token {
    this.#peekWord()
    return this.#take()
  }

  #unexpected({ kind, text, at }: Token, where: string): GoTemplateError {
    return this.#fail(at, `unexpected ${kind === 'end' ? 'end of file' : JSON.stringify(text)} in ${where}`)
  }

  #fail(at: number, reason: string): GoTemplateError {
    return new GoTemplateError(this.#source, at, reason)
  }
}

const END: Token = { kind: 'end', text: '', at: 0 }

const OPERANDS: ReadonlySet<TokenKind> = new Set<TokenKind>([
  'bool',
  'character',
  'dot',
  'field',
  'identifier',
  'left',
  'nil',
  'number',
  'raw',
  'string',
  'variable',
])

function isEmpty(list: List): boolean {
  return list.every(node => node.kind === 'text' && node.text.trim() === '')
}
