// Runs the tree of a template on data.

import { BadCall, GoTemplateError } from './failure.ts'
import { plainText } from './format.ts'
import { callFunction } from './functions.ts'
import type { Command, List, Node, Operand, Pipe } from './nodes.ts'
import type { Parsed } from './parser.ts'
import {
  entryOf,
  isList,
  isMap,
  isTrue,
  sizeOf,
  sortedEntries,
  typeName,
  Uint8,
  weightOf,
  wholeOf,
  type Value,
} from './values.ts'

/**
 * What one rendering may cost: templates inside of each other; nodes that run, with what they look through; characters that it
 * puts out, or functions look at and give.
 */
const MAX_DEPTH = 500
const MAX_STEPS = 200_000
const MAX_CHARACTERS = 8 << 20

/**
 * The text that a template gives for `data`.
 *
 * @throws {GoTemplateError} with line and column; there is no text then, not even a part
 */
export function evaluate(source: string, parsed: Parsed, data: Value): string {
  return new Run(source, parsed.defined).text(parsed.body, data)
}

/** How a list of nodes ended. */
type Ending = 'end' | 'break' | 'continue'

/** A node that holds a list. */
type Control = Extract<Node, { list: List }>

type Variable = { readonly name: string; value: Value }

/** Functions that look at each letter. */
const ESCAPING: ReadonlySet<string> = new Set(['html', 'js', 'urlquery'])

/** Functions that write a value whole. */
const PRINTING: ReadonlySet<string> = new Set(['html', 'js', 'print', 'printf', 'println', 'urlquery'])

class Run {
  readonly #source: string
  readonly #defined: Parsed['defined']
  readonly #out: string[] = []
  /** Variables in scope, innermost last. */
  #variables: Variable[] = []
  #depth = 0
  #steps = 0
  #characters = 0

  constructor(source: string, defined: Parsed['defined']) {
    this.#source = source
    this.#defined = defined
  }

  text(body: List, data: Value): string {
    this.#variables = [{ name: '$', value: data }]
    this.#list(body, data)
    return this.#out.join('')
  }

  #list(list: List, dot: Value): Ending {
    for (const node of list) {
      const ending = this.#node(node, dot)
      if (ending !== 'end') return ending
    }
    return 'end'
  }

  #node(node: Node, dot: Value): Ending {
    this.#step(1, node.at)
    switch (node.kind) {
      case 'text':
        this.#write(node.text, node.at)
        return 'end'
      case 'action': {
        const value = this.#pipe(node.pipe, dot)
        if (node.pipe.variables.length > 0) return 'end'
        this.#weigh(value, node.at)
        this.#write(value === null ? '<no value>' : plainText(value), node.at)
        return 'end'
      }
      case 'break':
      case 'continue':
        return node.kind
      case 'template':
        this.#template(node, dot)
        return 'end'
      default:
        return this.#scoped(() => {
          const value = this.#pipe(node.pipe, dot)
          if (node.kind === 'range') return this.#range(node, value, dot)
          if (!this.#isTrue(value, node.at)) return this.#list(node.otherwise, dot)
          return this.#list(node.list, node.kind === 'with' ? value : dot)
        })
    }
  }

  #step(count: number, at: number): void {
    this.#steps += count
    if (this.#steps > MAX_STEPS) throw this.#fail(at, `more than ${MAX_STEPS} steps`)
  }

  #count(characters: number, at: number): void {
    this.#characters += characters
    if (this.#characters > MAX_CHARACTERS)
      throw this.#fail(at, `more than ${MAX_CHARACTERS >> 20} million characters`)
  }

  #write(text: string, at: number): void {
    this.#count(text.length, at)
    this.#out.push(text)
  }

  #isTrue(value: Value, at: number): boolean {
    if (value !== null && isMap(value)) this.#step(sizeOf(value), at)
    return isTrue(value)
  }

  /** Counts all that is in a value, which is printed. */
  #weigh(value: Value, at: number): void {
    if (typeof value === 'string') return
    const { values, characters } = weightOf(value)
    this.#step(values, at)
    this.#count(characters, at)
  }

  /** Counts what a function looks at. */
  #countArguments(name: string, args: readonly Value[], at: number): void {
    this.#step(args.length, at)
    for (const arg of args) {
      if (typeof arg === 'string') this.#count(arg.length * (ESCAPING.has(name) ? 8 : 1), at)
      else if (PRINTING.has(name)) this.#weigh(arg, at)
      else if ((name === 'len' || name === 'not') && isMap(arg)) this.#step(sizeOf(arg), at)
      else if (name === 'slice' && isList(arg)) this.#step(arg.length, at)
    }
  }

  #scoped<T>(run: () => T): T {
    const size = this.#variables.length
    const result = run()
    this.#variables.length = size
    return result
  }

  #template({ name, pipe, at }: Extract<Node, { kind: 'template' }>, dot: Value): void {
    const list = this.#defined.get(name)
    if (list === undefined) throw this.#fail(at, `template "${name}" is not defined`)
    if (this.#depth >= MAX_DEPTH)
      throw this.#fail(at, `more than ${MAX_DEPTH} templates inside of each other`)
    const value = pipe === undefined ? null : this.#pipe(pipe, dot)
    const outer = this.#variables
    this.#variables = [{ name: '$', value }]
    this.#depth += 1
    this.#list(list, value)
    this.#depth -= 1
    this.#variables = outer
  }

  #range(node: Control, over: Value, dot: Value): Ending {
    const { pipe, list } = node
    let ran = false
    for (const [key, item] of this.#turns(pipe, over)) {
      ran = true
      const ending = this.#scoped(() => {
        this.#bindTurn(pipe, key, item)
        return this.#list(list, item)
      })
      if (ending === 'break') break
    }
    return ran ? 'end' : this.#list(node.otherwise, dot)
  }

  *#turns(pipe: Pipe, over: Value): Iterable<readonly [key: Value, item: Value]> {
    if (over === null) return
    if (isList(over)) {
      for (const [at, item] of over.entries()) {
        this.#step(1, pipe.at)
        yield [BigInt(at), item]
      }
    } else if (isMap(over)) {
      this.#step(sizeOf(over), pipe.at)
      yield* sortedEntries(over)
    } else if (wholeOf(over) !== undefined) {
      if (pipe.variables.length > 1) throw this.#fail(pipe.at, 'a number gives no second variable')
      for (let at = 0n; at < wholeOf(over)!; at += 1n) {
        this.#step(1, pipe.at)
        yield [at, over instanceof Uint8 ? new Uint8(Number(at)) : at]
      }
    } else throw this.#fail(pipe.at, `range cannot go over a value of type ${typeName(over)}`)
  }

  /** One variable takes the item, two take key and item. */
  #bindTurn({ variables, assigns, at }: Pipe, key: Value, item: Value): void {
    const values = variables.length > 1 ? [key, item] : [item]
    for (const [turn, name] of variables.entries()) this.#bind(name, values[turn] ?? null, assigns, at)
  }

  #bind(name: string, value: Value, assigns: boolean, at: number): void {
    if (!assigns) {
      this.#variables.push({ name, value })
      return
    }
    this.#variable(name, at).value = value
  }

  #variable(name: string, at: number): Variable {
    const place = this.#variables.findLastIndex(variable => variable.name === name)
    this.#step((this.#variables.length - place) >> 6, at) // 64 comparisons are about a step
    const found = this.#variables[place]
    if (found === undefined) throw this.#fail(at, `variable ${name} is not defined`)
    return found
  }

  #pipe(pipe: Pipe, dot: Value): Value {
    let value: Value | undefined
    for (const command of pipe.commands) value = this.#command(command, dot, value)
    for (const name of pipe.variables) this.#bind(name, value ?? null, pipe.assigns, pipe.at)
    return value ?? null
  }

  #command({ words: [first, ...args] }: Command, dot: Value, last: Value | undefined): Value {
    if (first.kind === 'function') return this.#call(first, args, dot, last)
    if (args.length > 0 || last !== undefined)
      throw this.#fail(first.at, `${nameOf(first)} takes no arguments`)
    if (first.kind === 'nil') throw this.#fail(first.at, 'nil is not a command')
    return this.#operand(first, dot)
  }

  #operand(word: Operand, dot: Value): Value {
    switch (word.kind) {
      case 'dot':
        return dot
      case 'nil':
        return null
      case 'literal':
        if (word.overflows) throw this.#fail(word.at, `${word.text} is greater than 9223372036854775807`)
        return word.value
      case 'field':
        return this.#path(dot, word.path, word)
      case 'variable':
        return this.#path(this.#variable(word.name, word.at).value, word.path, word)
      case 'chain':
        return this.#path(this.#operand(word.of, dot), word.path, word)
      case 'function':
        return this.#call(word, [], dot, undefined)
      default:
        this.#step(1, word.at)
        return this.#pipe(word, dot)
    }
  }

  #path(from: Value, path: readonly string[], word: Operand): Value {
    let value = from
    this.#step(path.length >> 2, word.at)
    for (const key of path) {
      if (value === null) throw this.#fail(word.at, `nil has no entry "${key}" in ${nameOf(word)}`)
      if (!isMap(value)) throw this.#fail(word.at, `a value of type ${typeName(value)} has no entry "${key}"`)
      const entry = entryOf(value, key)
      if (entry === undefined)
        throw this.#fail(word.at, `${nameOf(word)} is not set: there is no entry "${key}"`)
      value = entry
    }
    return value
  }

  #call(
    { name, at }: Extract<Operand, { kind: 'function' }>,
    words: readonly Operand[],
    dot: Value,
    last: Value | undefined,
  ): Value {
    if (name === 'and' || name === 'or') return this.#firstDecisive(name, at, words, dot, last)
    const given = words.map(word => this.#operand(word, dot))
    const args = last === undefined ? given : [...given, last]
    this.#countArguments(name, args, at)
    try {
      const value = callFunction(name, args, characters => this.#count(characters, at))
      if (typeof value === 'string') this.#count(value.length, at)
      return value
    } catch (error) {
      if (error instanceof BadCall) throw this.#fail(at, error.message)
      throw error
    }
  }

  /** `and` gives the first argument that is false, `or` the first that is true; else the last. Others are not run. */
  #firstDecisive(
    name: 'and' | 'or',
    at: number,
    words: readonly Operand[],
    dot: Value,
    last: Value | undefined,
  ): Value {
    if (words.length === 0 && last === undefined) throw this.#fail(at, `${name} wants at least one argument`)
    let value: Value = null
    for (const word of words) {
      this.#step(1, at)
      value = this.#operand(word, dot)
      if (this.#isTrue(value, at) === (name === 'or')) return value
    }
    return last === undefined ? value : last
  }

  #fail(at: number, reason: string): GoTemplateError {
    return new GoTemplateError(this.#source, at, reason)
  }
}

function nameOf(word: Operand): string {
  if (word.kind === 'field') return `.${word.path.join('.')}`
  if (word.kind === 'variable') return [word.name, ...word.path].join('.')
  return word.kind === 'literal' ? word.text : 'this value'
}
