// A nunjucks template as functions: each node of its tree becomes a closure. No text of a template becomes JavaScript, and no
// value of a template reaches what is not data (values.ts). What runs is counted (budget.ts).

import { messageOf } from '#progress/wait.ts'
import { Budget, OverBudget } from './budget.ts'
import { FILTERS, testOf, type Filter } from './filters.ts'
import { MOST_SOURCE, TemplateFault, treeOf, type Tree } from './tree.ts'
import {
  Callable,
  hasItem,
  holds,
  isRecord,
  isSame,
  keysOf,
  memberOf,
  numberOf,
  orderOf,
  primitiveOf,
  textOf,
} from './values.ts'

/** What templates find beside their values. */
export type Library = {
  /** The template of this name, compiled; what it costs (`costOf`) is counted before. */
  readonly templateOf: (name: string, budget: Budget) => Compiled
  readonly has: (name: string) => boolean
  readonly filters: ReadonlyMap<string, Filter>
  /** Functions that every template may call. */
  readonly functions: ReadonlyMap<string, Callable>
}

/** The values of a rendering, by name. */
export type Variables = ReadonlyMap<string, unknown>

/** A template that can be rendered. */
export type Compiled = {
  readonly name: string
  /** Nodes of its tree outside of macros, loops and blocks, and all nodes. */
  readonly nodes: number
  readonly allNodes: number
  readonly body: Statement
  readonly blocks: ReadonlyMap<string, Block>
  /** The text of a file without tags, which is the same each time. */
  readonly text?: string
}

/**
 * Compiles a template; names of filters and tests are looked up when it is rendered.
 *
 * @throws {TemplateFault}
 */
export function compile(name: string, source: string): Compiled {
  if (!hasTags(source)) return plainText(name, source)
  const compiler = new Compiler(name)
  const tree = treeOf(source)
  try {
    const body = compiler.statements(listIn(tree, 'children'), true)
    return {
      name,
      nodes: compiler.nodes,
      allNodes: compiler.allNodes,
      body,
      blocks: compiler.blocks,
    }
  } catch (error) {
    if (error instanceof RangeError) throw new TemplateFault('it is nested too deep', {}, { cause: error })
    throw error
  }
}

/**
 * Characters of the budget that each use of a template with this source costs, compiled or not: nothing without tags.
 * A source that is too large to be a template is refused before it costs more.
 */
export function costOf(source: string): number {
  return hasTags(source) ? Math.min(source.length, MOST_SOURCE) * SOURCE_COST : 0
}

function hasTags(source: string): boolean {
  return /\{[{%#]|#\}/.test(source)
}

/** A file without tags, which may be of any size: it costs what it writes. */
function plainText(name: string, source: string): Compiled {
  return {
    name,
    nodes: 1,
    allNodes: 1,
    body: run => run.write(source),
    blocks: new Map(),
    text: source,
  }
}

/**
 * Renders a template.
 *
 * @throws {TemplateFault} with the place and the name of the template that it is about; the cause is an `OverBudget`
 *   where it costs too much
 */
export function render(template: Compiled, variables: Variables, library: Library, budget: Budget): string {
  try {
    if (template.text !== undefined) {
      budget.write(template.text.length)
      return template.text
    }
    return runOf(template, new Map(variables), new Frame(undefined, true), library, budget).out
  } catch (error) {
    if (!(error instanceof OverBudget)) throw error
    throw new TemplateFault(error.message, { line: 1, column: 1, template: template.name }, { cause: error })
  }
}

type Expression = (run: Run) => unknown
type Statement = (run: Run) => void
type Block = { readonly template: string; readonly nodes: number; readonly body: Statement }

/** Characters of the budget for each of a source: two of the largest are parsed in 0.15 s, and a third is not. */
const SOURCE_COST = 32

/** Variables of a loop, a macro or an included template; what is not here is in the frame around. */
class Frame {
  readonly variables = new Map<string, unknown>()
  readonly parent: Frame | undefined
  /** Assignments stay here: frames around are read only. */
  readonly isolates: boolean
  /** Of a template itself: what is assigned here is a variable of the template. */
  isTop = false

  constructor(parent: Frame | undefined, isolates = false) {
    this.parent = parent
    this.isolates = isolates
  }

  lookup(name: string): unknown {
    const value = this.variables.get(name)
    return value === undefined ? this.parent?.lookup(name) : value
  }

  assign(name: string, value: unknown): void {
    const holder = this.#holderOf(name) ?? this
    holder.variables.set(name, value)
  }

  /** The frame that has this variable and may be assigned to from here. */
  #holderOf(name: string): Frame | undefined {
    if (this.variables.get(name) !== undefined) return this
    return this.isolates || this.parent === undefined ? undefined : this.parent.#holderOf(name)
  }
}

/** One template, block or macro while it runs. */
class Run {
  out = ''
  frame: Frame
  /** The node that is evaluated now: errors give its line and column. */
  at: Tree | undefined
  /** The template that this one extends, once it said so. */
  extended: Compiled | undefined
  readonly template: string
  readonly variables: Map<string, unknown>
  readonly exported: Set<string>
  readonly blocks: Map<string, Block[]>
  readonly library: Library
  readonly budget: Budget

  constructor(
    frame: Frame,
    like: Pick<Run, 'template' | 'variables' | 'exported' | 'blocks' | 'library' | 'budget'>,
  ) {
    this.frame = frame
    this.template = like.template
    this.variables = like.variables
    this.exported = like.exported
    this.blocks = like.blocks
    this.library = like.library
    this.budget = like.budget
  }

  write(text: string): void {
    this.budget.write(text.length)
    this.out += text
  }

  lookup(name: string): unknown {
    const value = this.frame.lookup(name)
    if (value !== undefined) return value
    return this.variables.has(name) ? this.variables.get(name) : this.library.functions.get(name)
  }

  /** Runs `body`, and says of what fails where it is. */
  placed(body: Statement): void {
    try {
      this.budget.enter()
      body(this)
    } catch (error) {
      throw this.#faultOf(error)
    } finally {
      this.budget.leave()
    }
  }

  /** What `body` writes, apart from what was written before. */
  captured(body: Statement): string {
    const before = this.out
    this.out = ''
    body(this)
    const text = this.out
    this.out = before
    return text
  }

  #faultOf(error: unknown): unknown {
    const { template } = this
    if (this.at === undefined && error instanceof OverBudget) return error // for who began this
    const place = { line: lineOf(this.at), column: columnOf(this.at), template }
    if (error instanceof TemplateFault) {
      if (error.template !== undefined) return error
      return new TemplateFault(
        error.reason,
        error.line === undefined ? place : { line: error.line, column: error.column, template },
        {
          cause: error.cause,
        },
      )
    }
    const reason = error instanceof RangeError ? 'it is nested too deep' : lastLineOf(messageOf(error))
    const cause = error instanceof RangeError ? new OverBudget(reason, { cause: error }) : error
    return new TemplateFault(reason, place, { cause })
  }
}

function lineOf(tree: Tree | undefined): number | undefined {
  return tree?.lineno === undefined ? undefined : tree.lineno + 1
}

function columnOf(tree: Tree | undefined): number | undefined {
  return tree?.colno === undefined ? undefined : tree.colno + 1
}

function lastLineOf(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? ''
}

function runOf(
  template: Compiled,
  variables: Map<string, unknown>,
  frame: Frame,
  library: Library,
  budget: Budget,
): Run {
  frame.isTop = true
  const blocks = new Map(Array.from(template.blocks, ([name, block]) => [name, [block]]))
  const run = new Run(frame, {
    template: template.name,
    variables,
    exported: new Set(),
    blocks,
    library,
    budget,
  })
  run.placed(() => {
    budget.step(template.nodes)
    template.body(run)
    extend(run)
  })
  return run
}

/** What a template that extends another wrote itself does not count: it is written by the other, with its blocks. */
function extend(run: Run): void {
  for (let parent = run.extended; parent !== undefined;) {
    const { body, nodes, name } = parent
    const outer = new Run(run.frame, { ...fieldsOf(run), template: name })
    outer.placed(() => {
      run.budget.step(nodes)
      body(outer)
    })
    run.out = outer.out
    parent = outer.extended
  }
}

function fieldsOf({ template, variables, exported, blocks, library, budget }: Run) {
  return { template, variables, exported, blocks, library, budget }
}

/** Levels of one expression, and of statements inside of each other. */
const MOST_DEPTH = 400

class Compiler {
  nodes = 0
  allNodes = 0
  readonly blocks = new Map<string, Block>()
  readonly #name: string
  #depth = 0
  /** The block that is compiled. */
  #block: string | undefined
  /** Bodies around that run on their own, and perhaps again: of loops, macros and blocks. */
  #bodies = 0

  constructor(name: string) {
    this.#name = name
  }

  /** `isTop`: not in a loop, so what is defined here is the template's. */
  statements(trees: readonly Tree[], isTop: boolean): Statement {
    const all = trees.map(tree => this.#statement(tree, isTop))
    const [only] = all
    if (all.length === 1 && only !== undefined) return only
    return run => {
      for (const statement of all) statement(run)
    }
  }

  #body(tree: unknown, isTop: boolean): Statement {
    if (tree === null || tree === undefined) return () => {}
    const { typename, children } = tree as Tree // fields of nodes are nodes
    return Array.isArray(children) && (typename === 'NodeList' || typename === 'Root')
      ? this.statements(children as Tree[], isTop)
      : this.#statement(tree as Tree, isTop)
  }

  /** A body with the number of its nodes, which each turn or call of it costs. */
  #counted(tree: unknown, isTop: boolean): Block {
    const before = this.nodes
    this.#bodies += 1
    const body = this.#body(tree, isTop)
    this.#bodies -= 1
    const nodes = this.nodes - before + 1
    this.nodes = before + 1
    return { template: this.#name, nodes, body }
  }

  #deeper<T>(tree: Tree, make: () => T): T {
    this.nodes += 1
    this.allNodes += 1
    this.#depth += 1
    if (this.#depth > MOST_DEPTH) throw this.#fault('it is nested too deep', tree)
    const made = make()
    this.#depth -= 1
    return made
  }

  #fault(reason: string, tree: Tree): TemplateFault {
    return new TemplateFault(reason, { line: lineOf(tree), column: columnOf(tree), template: this.#name })
  }

  #statement(tree: Tree, isTop: boolean): Statement {
    return this.#deeper(tree, () => {
      switch (tree.typename) {
        case 'NodeList':
          return this.statements(listIn(tree, 'children'), isTop)
        case 'Output':
          return this.#output(tree)
        case 'If':
          return this.#if(tree, isTop)
        case 'For':
          return this.#for(tree)
        case 'Switch':
          return this.#switch(tree, isTop)
        case 'Set':
          return this.#set(tree)
        case 'Macro': {
          const make = this.#macro(tree)
          const name = nameIn(tree, 'name', this.#name)
          return run => define(run, name, make(run), isTop)
        }
        case 'Import':
        case 'FromImport':
          return this.#import(tree, isTop)
        case 'Include':
          return this.#include(tree)
        case 'Extends': {
          if (this.#bodies > 0)
            throw this.#fault('extends is in a loop, a macro or a block: put it outside', tree)
          const template = this.expression(treeIn(tree, 'template'))
          return run => {
            run.at = tree
            if (run.extended !== undefined) throw new Error('a template extends one other, and only once')
            const parent = templateOf(run, template(run))
            run.budget.step()
            for (const [name, block] of parent.blocks) {
              const inner = run.blocks.get(name) ?? []
              run.budget.step(inner.length + 1)
              run.blocks.set(name, [...inner, block])
            }
            run.extended = parent
          }
        }
        case 'Block':
          return this.#blockOf(tree)
        default:
          throw this.#fault(`${tree.typename} is not a part of this template language`, tree)
      }
    })
  }

  #output(tree: Tree): Statement {
    const all = listIn(tree, 'children').map((child): Statement => {
      if (child.typename === 'TemplateData') {
        const text = String(child['value'])
        return run => run.write(text)
      }
      const value = this.expression(child)
      return run => {
        run.at = tree
        const made = value(run)
        run.at = tree
        if (made === undefined || made === null) throw new Error('a value is not defined')
        run.write(textOf(made, run.budget))
      }
    })
    const [only] = all
    if (all.length === 1 && only !== undefined) return only
    return run => {
      for (const statement of all) statement(run)
    }
  }

  #if(tree: Tree, isTop: boolean): Statement {
    const condition = this.expression(treeIn(tree, 'cond'))
    const body = this.#body(tree['body'], isTop)
    const otherwise = this.#body(tree['else_'], isTop)
    return run => {
      run.at = tree
      if (condition(run)) body(run)
      else otherwise(run)
    }
  }

  #for(tree: Tree): Statement {
    const over = this.expression(treeIn(tree, 'arr'))
    const name = treeIn(tree, 'name')
    const names =
      name.typename === 'Array'
        ? listIn(name, 'children').map(child => nameOf(child, this.#name))
        : [nameOf(name, this.#name)]
    const { nodes, body } = this.#counted(tree['body'], false)
    const otherwise = this.#body(tree['else_'], false)
    const isParted = name.typename === 'Array'
    return run => {
      run.at = tree
      const around = run.frame
      const frame = new Frame(around)
      run.frame = frame
      const turns = turnsOf(over(run), isParted, run)
      for (const [at, item] of turns.entries()) {
        run.budget.step(nodes + names.length)
        const [first = ''] = names
        if (isParted) {
          for (const [part, inner] of names.entries()) frame.variables.set(inner, memberOf(item, part))
        } else frame.variables.set(first, item)
        frame.variables.set('loop', loopAt(at, turns.length))
        body(run)
      }
      if (turns.length === 0) otherwise(run)
      run.frame = around
    }
  }

  #switch(tree: Tree, isTop: boolean): Statement {
    const subject = this.expression(treeIn(tree, 'expr'))
    const cases = listIn(tree, 'cases').map(({ cond, body }) => ({
      value: this.expression(cond as Tree),
      isEmpty: listIn(body as Tree, 'children').length === 0,
      body: this.#body(body, isTop),
    }))
    const otherwise = this.#body(tree['default'], isTop)
    return run => {
      run.at = tree
      const value = subject(run)
      const found = cases.findIndex(it => isSame(it.value(run), value, run.budget))
      // An empty case means what the next one does.
      const { body } = (found < 0 ? undefined : cases.slice(found).find(it => !it.isEmpty)) ?? {
        body: otherwise,
      }
      body(run)
    }
  }

  #set(tree: Tree): Statement {
    const names = listIn(tree, 'targets').map(target => nameOf(target, this.#name))
    const isCapture = tree['value'] === null || tree['value'] === undefined
    const value = this.expression(isCapture ? treeIn(tree, 'body') : treeIn(tree, 'value'))
    return run => {
      run.at = tree
      const made = value(run)
      for (const name of names) {
        run.frame.assign(name, made)
        if (!run.frame.isTop) continue
        run.variables.set(name, made)
        if (!name.startsWith('_')) run.exported.add(name)
      }
    }
  }

  /** A macro, or the body of a `call`, which sees the variables around it (`around`). */
  #macro(tree: Tree, around = false): (run: Run) => Callable {
    const plain: string[] = []
    const defaults: { readonly name: string; readonly value: Expression }[] = []
    for (const arg of listIn(treeIn(tree, 'args'), 'children')) {
      if (!isPairs(arg)) plain.push(nameOf(arg, this.#name))
      else {
        for (const pair of listIn(arg, 'children'))
          defaults.push({
            name: nameIn(pair, 'key', this.#name),
            value: this.expression(treeIn(pair, 'value')),
          })
      }
    }
    const block = this.#block
    this.#block = undefined
    const { nodes, body } = this.#counted(tree['body'], !around)
    this.#block = block
    const name = nameIn(tree, 'name', this.#name)
    return run => {
      const outer = around ? run.frame : undefined
      return new Callable(name, (args, named) => {
        const frame = new Frame(outer, true)
        const inner = new Run(frame, run)
        inner.placed(() => {
          run.budget.step(nodes + plain.length + defaults.length)
          if (named.has('caller')) frame.variables.set('caller', named.get('caller'))
          for (const [at, key] of plain.entries())
            frame.variables.set(key, at < args.length ? args[at] : named.get(key))
          for (const [at, { name: key, value }] of defaults.entries()) {
            const given = args[plain.length + at]
            if (plain.length + at < args.length) frame.variables.set(key, given)
            else frame.variables.set(key, named.has(key) ? named.get(key) : value(inner))
          }
          body(inner)
        })
        return inner.out
      })
    }
  }

  #import(tree: Tree, isTop: boolean): Statement {
    const template = this.expression(treeIn(tree, 'template'))
    const withContext = tree['withContext'] === true
    const names =
      tree.typename === 'Import'
        ? [{ as: nameIn(tree, 'target', this.#name), name: undefined }]
        : listIn(treeIn(tree, 'names'), 'children').map(it =>
            it.typename === 'Pair'
              ? { name: nameIn(it, 'key', this.#name), as: nameIn(it, 'value', this.#name) }
              : { name: nameOf(it, this.#name), as: nameOf(it, this.#name) },
          )
    return run => {
      run.at = tree
      const { library, budget } = run
      const imported = templateOf(run, template(run))
      const inner = withContext
        ? runOf(imported, new Map(run.variables), new Frame(run.frame, true), library, budget)
        : runOf(imported, new Map(), new Frame(undefined, true), library, budget)
      budget.step(names.length + inner.exported.size)
      for (const { name, as } of names) {
        if (name !== undefined && !inner.exported.has(name)) throw new Error(`cannot import '${name}'`)
        const value = name === undefined ? exportsOf(inner) : inner.variables.get(name)
        if (isTop) run.variables.set(as, value)
        else run.frame.variables.set(as, value)
      }
    }
  }

  #include(tree: Tree): Statement {
    const template = this.expression(treeIn(tree, 'template'))
    const mayMiss = tree['ignoreMissing'] === true
    return run => {
      run.at = tree
      const { library, budget, variables, frame } = run
      const name = template(run)
      if (mayMiss && typeof name === 'string' && !library.has(name)) return
      const included = templateOf(run, name)
      budget.step(variables.size)
      run.write(runOf(included, new Map(variables), new Frame(frame, true), library, budget).out)
    }
  }

  #blockOf(tree: Tree): Statement {
    const name = nameIn(tree, 'name', this.#name)
    if (this.blocks.has(name)) throw this.#fault(`block ${name} is there twice`, tree)
    const outer = this.#block
    this.#block = name
    const block = this.#counted(tree['body'], true)
    this.#block = outer
    this.blocks.set(name, block)
    const isInner = outer !== undefined
    return run => {
      run.at = tree
      const [first] = run.blocks.get(name) ?? []
      if (first === undefined || (run.extended !== undefined && !isInner)) return
      run.write(blockText(run, first))
    }
  }

  expression(tree: Tree): Expression {
    return this.#deeper(tree, () => this.#expression(tree))
  }

  #expression(tree: Tree): Expression {
    switch (tree.typename) {
      case 'Literal': {
        const value = tree['value']
        if (typeof value === 'object' && value !== null)
          throw this.#fault('regular expressions are not a part of this template language', tree)
        return () => value
      }
      case 'Symbol': {
        const name = nameOf(tree, this.#name)
        return run => run.lookup(name)
      }
      case 'Group': {
        const all = listIn(tree, 'children').map(child => this.expression(child))
        return run => {
          let last: unknown
          for (const one of all) last = one(run)
          return last
        }
      }
      case 'Array': {
        const all = listIn(tree, 'children').map(child => this.expression(child))
        return run => all.map(one => one(run))
      }
      case 'Dict': {
        const pairs = this.#pairs(tree)
        return run => {
          const made: Record<string, unknown> = Object.create(null) as Record<string, unknown>
          for (const { name, value } of pairs) made[name] = value(run)
          return made
        }
      }
      case 'Capture': {
        const body = this.#body(tree['body'], true)
        return run => run.captured(body)
      }
      case 'LookupVal': {
        const of = this.expression(treeIn(tree, 'target'))
        const key = this.expression(treeIn(tree, 'val'))
        return run => memberOf(of(run), key(run))
      }
      case 'FunCall':
        return this.#call(tree)
      case 'Caller':
        return this.#macro(tree, true)
      case 'Filter':
        return this.#filter(tree)
      case 'InlineIf': {
        const condition = this.expression(treeIn(tree, 'cond'))
        const body = this.expression(treeIn(tree, 'body'))
        const otherwise = tree['else_'] ? this.expression(treeIn(tree, 'else_')) : () => ''
        return run => (condition(run) ? body(run) : otherwise(run))
      }
      case 'Is':
        return this.#is(tree)
      case 'Not': {
        const value = this.expression(treeIn(tree, 'target'))
        return run => !value(run)
      }
      case 'Neg':
      case 'Pos': {
        const value = this.expression(treeIn(tree, 'target'))
        const sign = tree.typename === 'Neg' ? -1 : 1
        return run => sign * numberOf(value(run), run.budget)
      }
      case 'Compare':
        return this.#compare(tree)
      default:
        return this.#binary(tree)
    }
  }

  #binary(tree: Tree): Expression {
    const operator = BINARY[tree.typename]
    const isLazy = tree.typename === 'And' || tree.typename === 'Or'
    if (operator === undefined && !isLazy)
      throw this.#fault(`${tree.typename} is not a part of this template language`, tree)
    const left = this.expression(treeIn(tree, 'left'))
    const right = this.expression(treeIn(tree, 'right'))
    if (tree.typename === 'And') return run => left(run) && right(run)
    if (operator === undefined) return run => left(run) || right(run)
    return run => operator(left(run), right(run), run.budget)
  }

  #pairs(tree: Tree): { readonly name: string; readonly value: Expression }[] {
    return listIn(tree, 'children').map(pair => {
      const key = treeIn(pair, 'key')
      const isText = key.typename === 'Literal' && typeof key['value'] === 'string'
      const name = isText ? String(key['value']) : nameOf(key, this.#name)
      return { name, value: this.expression(treeIn(pair, 'value')) }
    })
  }

  /** The arguments of a call: those in order, then those with names. */
  #arguments(trees: readonly Tree[]): (run: Run) => { args: unknown[]; named: ReadonlyMap<string, unknown> } {
    const plain = trees.filter(tree => tree.typename !== 'KeywordArgs').map(tree => this.expression(tree))
    const named = trees.filter(tree => tree.typename === 'KeywordArgs').flatMap(tree => this.#pairs(tree))
    return run => ({
      args: plain.map(one => one(run)),
      named: named.length === 0 ? NONE : new Map(named.map(({ name, value }) => [name, value(run)])),
    })
  }

  #call(tree: Tree): Expression {
    const callee = treeIn(tree, 'name')
    if (callee.typename === 'Symbol' && callee['value'] === 'super' && this.#block !== undefined)
      return this.#super(this.#block)
    const of = this.expression(callee)
    const called = shownName(callee)
    const give = this.#arguments(listIn(treeIn(tree, 'args'), 'children'))
    return run => {
      run.at = tree
      const found = of(run)
      const { args, named } = give(run)
      run.at = tree
      if (!(found instanceof Callable)) throw new Error(`${called} is not a function of templates`)
      run.budget.step(args.length + 1)
      return found.call(args, named, run.budget)
    }
  }

  /** `super()`: the same block of the template that this one extends. */
  #super(name: string): Expression {
    const own = () => this.blocks.get(name)
    return run => {
      const blocks = run.blocks.get(name) ?? []
      const block = blocks[blocks.findIndex(it => it === own()) + 1]
      if (block === undefined) throw new Error(`there is no block ${name} above this one`)
      return blockText(run, block)
    }
  }

  #filter(tree: Tree): Expression {
    const [value, ...rest] = listIn(treeIn(tree, 'args'), 'children')
    if (value === undefined) throw this.#fault('a filter takes a value', tree)
    const of = this.expression(value)
    const give = this.#arguments(rest)
    const name = String(treeIn(tree, 'name')['value'])
    return run => {
      const filter = run.library.filters.get(name) ?? FILTERS.get(name)
      const made = of(run)
      const { args, named } = give(run)
      run.at = tree
      if (filter === undefined) throw new Error(`there is no filter ${name}`)
      run.budget.step()
      return filter(made, { args, named, budget: run.budget })
    }
  }

  #is(tree: Tree): Expression {
    const value = this.expression(treeIn(tree, 'left'))
    const right = treeIn(tree, 'right')
    const isCall = right.typename === 'FunCall'
    const name = String((isCall ? treeIn(right, 'name') : right)['value'])
    const give = this.#arguments(isCall ? listIn(treeIn(right, 'args'), 'children') : [])
    return run => {
      const made = value(run)
      const { args } = give(run)
      return testOf(name)(made, args[0], run.budget)
    }
  }

  #compare(tree: Tree): Expression {
    const first = this.expression(treeIn(tree, 'expr'))
    const rest = listIn(tree, 'ops').map(operand => ({
      operator: COMPARE[String(operand['type'])] ?? COMPARE['===']!, // the parser has no others
      value: this.expression(treeIn(operand, 'expr')),
    }))
    return run => {
      let value = first(run)
      for (const { operator, value: other } of rest) value = operator(value, other(run), run.budget)
      return value
    }
  }
}

const NONE: ReadonlyMap<string, unknown> = new Map()

type Operator = (left: unknown, right: unknown, budget: Budget) => unknown

function arithmetic(make: (a: number, b: number) => number): Operator {
  return (left, right, budget) => make(numberOf(left, budget), numberOf(right, budget))
}

const BINARY: Readonly<Record<string, Operator>> = {
  Add: (left, right, budget) => {
    const [a, b] = [primitiveOf(left, budget), primitiveOf(right, budget)]
    return typeof a === 'string' || typeof b === 'string' ? together(a, b, budget) : Number(a) + Number(b)
  },
  Concat: (left, right, budget) => together(primitiveOf(left, budget), primitiveOf(right, budget), budget),
  Sub: arithmetic((a, b) => a - b),
  Mul: arithmetic((a, b) => a * b),
  Div: arithmetic((a, b) => a / b),
  FloorDiv: arithmetic((a, b) => Math.floor(a / b)),
  Mod: arithmetic((a, b) => a % b),
  Pow: arithmetic((a, b) => a ** b),
  In: (key, of, budget) => {
    if (typeof of === 'string') return holds(of, textOf(key, budget), budget)
    if (Array.isArray(of)) return hasItem(of, key, budget)
    if (isRecord(of)) return Object.hasOwn(of, textOf(key, budget))
    throw new Error('"in" takes a text, a list or an object')
  },
}

/** Two texts as one, made whole at once: V8 would put off the work, and do it all later. */
function together(a: unknown, b: unknown, budget: Budget): string {
  const [left, right] = [textOf(a, budget), textOf(b, budget)]
  budget.write(left.length + right.length)
  return left + right
}

const COMPARE: Readonly<Record<string, Operator>> = {
  '==': isLooselyEqual,
  '===': isSame,
  '!=': (a, b, budget) => !isLooselyEqual(a, b, budget),
  '!==': (a, b, budget) => !isSame(a, b, budget),
  '<': (a, b, budget) => orderOf(a, b, budget) < 0,
  '>': (a, b, budget) => orderOf(a, b, budget) > 0,
  '<=': (a, b, budget) => orderOf(a, b, budget) <= 0,
  '>=': (a, b, budget) => orderOf(a, b, budget) >= 0,
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined
}

/** `==` of JavaScript, which turns a list or an object into a text only where the other value is neither. */
function isLooselyEqual(a: unknown, b: unknown, budget: Budget): boolean {
  if (isNothing(a) || isNothing(b)) return isNothing(a) && isNothing(b)
  if (typeof a === 'object' && typeof b === 'object') return a === b
  const [x, y] = [primitiveOf(a, budget), primitiveOf(b, budget)]
  if (typeof x === typeof y) return isSame(x, y, budget)
  return numberOf(x, budget) === numberOf(y, budget)
}

function define(run: Run, name: string, value: unknown, isTop: boolean): void {
  if (!isTop) {
    run.frame.variables.set(name, value)
    return
  }
  if (!name.startsWith('_')) run.exported.add(name)
  run.variables.set(name, value)
}

/** The items of a loop. When the loop has two names, an object gives pairs of key and value. */
function turnsOf(over: unknown, isParted: boolean, run: Run): readonly unknown[] {
  if (Array.isArray(over)) return over
  if (typeof over === 'string') {
    run.budget.step(over.length)
    return over.split('').map((letter, at) => (isParted ? [String(at), letter] : letter))
  }
  if (!isParted) return []
  const keys = keysOf(over)
  run.budget.step(keys.length)
  return keys.map(key => [key, memberOf(over, key)])
}

function loopAt(at: number, length: number) {
  return {
    index: at + 1,
    index0: at,
    revindex: length - at,
    revindex0: length - at - 1,
    first: at === 0,
    last: at === length - 1,
    length,
  }
}

function blockText(run: Run, { template, nodes, body }: Block): string {
  const inner = new Run(new Frame(run.frame, true), { ...fieldsOf(run), template })
  inner.placed(() => {
    run.budget.step(nodes)
    body(inner)
  })
  return inner.out
}

function exportsOf({ exported, variables }: Run): unknown {
  const made: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const name of exported) made[name] = variables.get(name)
  return made
}

function templateOf({ library, budget }: Run, name: unknown): Compiled {
  if (typeof name !== 'string') throw new Error('the name of a template is a text')
  return library.templateOf(name, budget)
}

/** How an error names what was called. */
function shownName(tree: Tree): string {
  if (tree.typename === 'Symbol') return String(tree['value'])
  if (tree.typename === 'LookupVal') {
    const key = treeIn(tree, 'val')
    return `${shownName(treeIn(tree, 'target'))}.${key.typename === 'Literal' ? String(key['value']) : '…'}`
  }
  return tree.typename === 'FunCall' ? `${shownName(treeIn(tree, 'name'))}()` : 'this value'
}

// Fields of nodes have no types: the parser of nunjucks has none. Where it lets through what is not a node, a template is
// refused.

function treeIn(tree: Tree, field: string): Tree {
  const found = tree[field]
  if (typeof found !== 'object' || found === null || !('typename' in found))
    throw new TemplateFault(`this ${tree.typename} is not complete`, {
      line: lineOf(tree),
      column: columnOf(tree),
    })
  return found as Tree
}

function listIn(tree: Tree, field: string): readonly Tree[] {
  const found = tree[field]
  if (!Array.isArray(found))
    throw new TemplateFault(`this ${tree.typename} is not complete`, {
      line: lineOf(tree),
      column: columnOf(tree),
    })
  return found as readonly Tree[]
}

function isPairs({ typename }: Tree): boolean {
  return typename === 'KeywordArgs' || typename === 'Dict'
}

function nameIn(tree: Tree, field: string, template: string): string {
  return nameOf(treeIn(tree, field), template)
}

/** A name that a template gives: letters, digits and underscores. */
function nameOf(tree: Tree, template: string): string {
  const { value } = tree
  if (tree.typename === 'Symbol' && typeof value === 'string' && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(value))
    return value
  throw new TemplateFault('this is not a name', { line: lineOf(tree), column: columnOf(tree), template })
}
