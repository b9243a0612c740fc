// The templates of a data directory (`*.njk`), rendered strictly: a name that is not there is an error with its line,
// and values are put in as they are. What clients send is only ever a value, never template source; and templates are
// data of others, too: they reach nothing but their values, at a bounded cost (server/formats/nunjucks).

import { posix } from 'node:path'
import { gzipSync } from 'node:zlib'
import { TemplateFailed, UnknownTemplate } from './errors.ts'
import type { TemplateFiles } from '../../inventory/template-files.ts'
import { Budget, OverBudget } from '../../formats/nunjucks/budget.ts'
import {
  compile,
  costOf,
  render,
  type Compiled,
  type Library,
  type Variables,
} from '../../formats/nunjucks/compile.ts'
import type { Filter } from '../../formats/nunjucks/filters.ts'
import { FUNCTIONS } from '../../formats/nunjucks/functions.ts'
import { TemplateFault } from '../../formats/nunjucks/tree.ts'
import { Callable, jsonOf, textOf } from '../../formats/nunjucks/values.ts'
import { grubWord } from './grub.ts'
import { remembered } from './remembered.ts'

/** The values that a template sees, by name. */
export type TemplateContext = Readonly<Record<string, unknown>>

/** What a node of a compiled template takes, roughly; and how much of that is kept, of files and of texts. */
const NODE_SIZE = 500
const FILES_ROOM = 32 << 20
const TEXTS_ROOM = 4 << 20

/** Characters of texts that are kept compressed, with their results. */
const PACKED_ROOM = 4 << 20

/** What begins a tag of a template. */
const TAG = /\{[{%#]/

/** Templates that are compiled once; one whose file changes is compiled again at its next use. */
export class Templates {
  readonly #files: TemplateFiles
  readonly #library: Library
  /** Those that were compiled first are forgotten first. */
  readonly #templates = new Map<
    string,
    { readonly stamp: string; readonly cost: number; readonly compiled: Compiled | TemplateFault }
  >()
  #templatesSize = 0
  /** Kernel arguments and their like, compiled: they are the same for each machine of a profile. */
  readonly #compiled = remembered(text => {
    const value = compiledOf('', text)
    return { value, size: sizeOf(value) }
  }, TEXTS_ROOM)
  /** What the texts of one request have cost: they are rendered with the same values. */
  readonly #budgets = new WeakMap<TemplateContext, Budget>()

  constructor(files: TemplateFiles) {
    this.#files = files
    const templateOf = (asked: string, budget: Budget) =>
      this.#templateOf(posix.join('/', asked).slice(1), budget)
    const has = (asked: string) => this.has(posix.join('/', asked).slice(1))
    this.#library = { templateOf, has, filters: FILTERS, functions: new Map([...FUNCTIONS, ['fail', FAIL]]) }
  }

  /** Says whether there is a template of this name. */
  has(name: string): boolean {
    return this.#files.stampOf(name) !== undefined
  }

  /**
   * Renders the template `name`, a path below the root. Besides `context` it sees `file('units/x.service')`: the text
   * of a template below its own folder, rendered with the same values.
   *
   * @throws {UnknownTemplate} 404, when there is no such file
   * @throws {TemplateFailed} 503, with the line and the reason; also where it would cost too much
   */
  render(name: string, context: TemplateContext): string {
    const folder = posix.dirname(name)
    const budget = new Budget()
    const values: Map<string, unknown> = new Map(Object.entries(context))
    const file = new Callable('file', ([partial]) =>
      this.#renderOne(posix.join('/', folder, textOf(partial, budget)).slice(1), values, budget),
    )
    values.set('file', file)
    return this.#renderOne(name, values, budget)
  }

  /**
   * Renders a text that is a template itself, such as a kernel argument of a profile; `name` is for the error. All texts
   * that are rendered with one `context` share what one rendering may cost.
   *
   * @throws {TemplateFailed} 503, with the reason
   */
  renderText(name: string, text: string, context: TemplateContext): string {
    if (!TAG.test(text)) return text
    const budget = this.#budgets.get(context) ?? new Budget()
    this.#budgets.set(context, budget)
    try {
      budget.write(costOf(text))
      return render(good(this.#compiled(text)), new Map(Object.entries(context)), this.#library, budget)
    } catch (error) {
      if (!(error instanceof TemplateFault || error instanceof OverBudget)) throw error
      throw new TemplateFailed(name, `${error.message} in "${shortened(text)}"`, { cause: error })
    }
  }

  /**
   * The text of a file that is not a template.
   *
   * @throws {UnknownTemplate} 404, when there is no such file
   */
  plain(name: string): string {
    const text = this.#files.textOf(name)
    if (text === undefined) throw new UnknownTemplate(name)
    return text
  }

  /** @throws {UnknownTemplate} {TemplateFault} {OverBudget} */
  #templateOf(name: string, budget: Budget): Compiled {
    const stamp = this.#files.stampOf(name)
    const known = this.#templates.get(name)
    if (known !== undefined && known.stamp === stamp) {
      budget.write(known.cost)
      return good(known.compiled)
    }
    this.#forget(name)
    const text = this.#files.textOf(name)
    if (stamp === undefined || text === undefined) throw new UnknownTemplate(name)
    const cost = costOf(text)
    budget.write(cost)
    const compiled = compiledOf(name, text)
    this.#templates.set(name, { stamp, cost, compiled })
    this.#templatesSize += sizeOf(compiled)
    for (const oldest of this.#templates.keys()) {
      if (this.#templatesSize <= FILES_ROOM || oldest === name) break
      this.#forget(oldest)
    }
    return good(compiled)
  }

  #forget(name: string): void {
    const known = this.#templates.get(name)
    if (known === undefined) return
    this.#templatesSize -= sizeOf(known.compiled)
    this.#templates.delete(name)
  }

  #renderOne(name: string, values: Variables, budget: Budget): string {
    if (!this.has(name)) throw new UnknownTemplate(name)
    try {
      return render(this.#templateOf(name, budget), values, this.#library, budget)
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error
      const { cause } = error
      // The costs of a whole rendering are reported once, with the place where they were too high.
      if (cause instanceof TemplateFailed && cause.cause instanceof TemplateFault && isCost(cause.cause))
        throw cause
      throw new TemplateFailed(error.template ?? name, this.#placeOf(error.template ?? name, error), {
        cause: error,
      })
    }
  }

  /** The reason, with the line of the template that it is about. */
  #placeOf(name: string, { line, column, reason }: TemplateFault): string {
    const text = line === undefined ? undefined : this.#files.textOf(name)?.split('\n')[line - 1]
    return text ? `line ${line}, column ${column}: ${reason} in "${shortened(text.trim())}"` : reason
  }
}

/** A template, or what is wrong with it: both are found once. */
function compiledOf(name: string, text: string): Compiled | TemplateFault {
  try {
    return compile(name, text)
  } catch (error) {
    if (!(error instanceof TemplateFault)) throw error
    const { reason, line, column } = error
    return new TemplateFault(reason, { line, column, template: name }, { cause: error.cause })
  }
}

function good(compiled: Compiled | TemplateFault): Compiled {
  if (compiled instanceof TemplateFault) throw compiled
  return compiled
}

function sizeOf(compiled: Compiled | TemplateFault): number {
  return compiled instanceof TemplateFault ? NODE_SIZE : compiled.allNodes * NODE_SIZE
}

function isCost({ cause }: TemplateFault): boolean {
  return cause instanceof OverBudget
}

function shortened(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 300)}…`
}

/** `text` as a `data:` URL, which is how an Ignition config carries the content of a file. */
function dataUrl(text: string): string {
  return `data:;base64,${Buffer.from(text).toString('base64')}`
}

/** The same, compressed, for a content with `"compression": "gzip"`. Scripts are the same for each machine: they are kept. */
const gzipUrl = remembered(text => {
  const value = `data:;base64,${gzipSync(text, { level: 9 }).toString('base64')}`
  return { value, size: value.length }
}, PACKED_ROOM)

/** What templates can do with a value beside what nunjucks has. What is not there stays so, until it would be put out. */
const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['json', (value, { budget }) => jsonOf(value, 0, budget)],
  ['dataurl', onText(dataUrl, 2)],
  ['gzipurl', onText(gzipUrl, 16)],
  ['grubword', onText(grubWord, 2)],
])

/** A filter of text. Each character of its input takes `cost` characters from the budget of written text. */
function onText(make: (text: string) => string, cost: number): Filter {
  return (value, { budget }) => {
    if (value === undefined) return undefined
    const text = textOf(value, budget)
    budget.write(text.length * cost)
    return make(text)
  }
}

/** A template says that it cannot be rendered with the values it was given. */
const FAIL = new Callable('fail', ([reason], _, budget) => {
  throw new Error(textOf(reason, budget))
})
