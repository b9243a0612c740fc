// The templates of a data directory (`*.njk`), rendered strictly: a name that is not there is an error with its line,
// and values are put in as they are. What clients send is only ever a value, never template source.

import { posix } from 'node:path'
import { gzipSync } from 'node:zlib'
import nunjucks from 'nunjucks'
import { messageOf } from '#progress/wait.ts'
import { TemplateFailed, UnknownTemplate } from '../errors.ts'
import type { TemplateFiles } from '../inventory/template-files.ts'
import { grubWord } from './grub.ts'
import { remembered } from './remembered.ts'

/** The values that a template sees, by name. */
export type TemplateContext = Readonly<Record<string, unknown>>

/** What a compiled text takes, roughly, beside itself; and how much of that is kept: of about 1,000 texts. */
const COMPILED_SIZE = 4000
const COMPILED_ROOM = 4 << 20

/** Characters of texts that are kept compressed, with what came of them. */
const PACKED_ROOM = 4 << 20

/** What begins a tag of a template. */
const TAG = /\{[{%#]/

/** Templates that are compiled once; one whose file changes is compiled again at its next use. */
export class Templates {
  readonly #files: TemplateFiles
  readonly #loader: Loader
  readonly #environment: nunjucks.Environment
  /** Kernel arguments and their like, compiled: they are the same for each machine of a profile. */
  readonly #compiled = remembered(
    text => ({ value: new nunjucks.Template(text, this.#environment), size: COMPILED_SIZE }),
    COMPILED_ROOM,
  )

  constructor(files: TemplateFiles) {
    this.#files = files
    this.#loader = new Loader(files)
    this.#environment = new nunjucks.Environment(this.#loader, { autoescape: false, throwOnUndefined: true })
    this.#environment.addGlobal('fail', fail)
    for (const [name, filter] of Object.entries(FILTERS)) this.#environment.addFilter(name, strict(filter))
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
   * @throws {TemplateFailed} 503, with the line and the reason
   */
  render(name: string, context: TemplateContext): string {
    this.#loader.refresh()
    const folder = posix.dirname(name)
    const values = {
      ...context,
      file: (partial: string) => this.#fileIn(posix.join(folder, partial), values),
    }
    return this.#renderOne(name, values)
  }

  /**
   * Renders a text that is a template itself, such as a kernel argument of a profile; `name` is for the error.
   *
   * @throws {TemplateFailed} 503, with the reason
   */
  renderText(name: string, text: string, context: TemplateContext): string {
    if (!TAG.test(text)) return text
    try {
      return this.#compiled(text).render(context)
    } catch (error) {
      throw new TemplateFailed(name, `${reasonOf(error)} in "${text}"`, { cause: error })
    }
  }

  /**
   * The text of a file that is no template.
   *
   * @throws {UnknownTemplate} 404, when there is no such file
   */
  plain(name: string): string {
    const text = this.#files.textOf(name)
    if (text === undefined) throw new UnknownTemplate(name)
    return text
  }

  /** A file without any tag is the same text for each machine, and the same string, which filters know again. */
  #fileIn(name: string, context: TemplateContext): string {
    const text = this.#files.textOf(name)
    return text === undefined || TAG.test(text) ? this.#renderOne(name, context) : text
  }

  #renderOne(name: string, context: TemplateContext): string {
    if (!this.has(name)) throw new UnknownTemplate(name)
    try {
      return this.#environment.render(name, context)
    } catch (error) {
      throw new TemplateFailed(name, this.#placeOf(name, error), { cause: error })
    }
  }

  /** The reason, with the line of the template that it is about. */
  #placeOf(name: string, error: unknown): string {
    const text = messageOf(error)
    const place = /\[Line (\d+), Column (\d+)\]/.exec(text)
    const line = place && this.#files.textOf(name)?.split('\n')[Number(place[1]) - 1]
    return line
      ? `line ${place[1]}, column ${place[2]}: ${reasonOf(error)} in "${line.trim()}"`
      : reasonOf(error)
  }
}

/** `text` as a `data:` URL, which is how an Ignition config carries the content of a file. */
function dataUrl(text: unknown): string {
  return `data:;base64,${Buffer.from(String(text)).toString('base64')}`
}

/** The same, compressed, for a content with `"compression": "gzip"`. Scripts are the same for each machine: they are kept. */
const gzipUrl = remembered(text => {
  const value = `data:;base64,${gzipSync(text, { level: 9 }).toString('base64')}`
  return { value, size: value.length }
}, PACKED_ROOM)

/** What templates can do with a value. */
const FILTERS: Readonly<Record<string, (value: unknown) => unknown>> = {
  json: value => JSON.stringify(value),
  dataurl: dataUrl,
  gzipurl: text => gzipUrl(String(text)),
  grubword: value => grubWord(String(value)),
}

/** A template says that it cannot be rendered with the values it was given. */
function fail(reason: string): never {
  throw new Error(reason)
}

/** What is not there stays so through filters, until nunjucks tells where it would be put out. */
function strict(filter: (value: unknown) => unknown): (value: unknown) => unknown {
  return value => (value === undefined ? undefined : filter(value))
}

class Loader extends nunjucks.Loader implements nunjucks.ILoader {
  readonly #files: TemplateFiles
  readonly #stamps = new Map<string, string>()
  // Nunjucks tells a loader that answers at once from one that calls back by this field.
  readonly async = false as const

  constructor(files: TemplateFiles) {
    super()
    this.#files = files
  }

  getSource(asked: string): nunjucks.LoaderSource {
    const name = posix.join('/', asked).slice(1) // none of them leads out of the folder of all
    const stamp = this.#files.stampOf(name)
    const text = this.#files.textOf(name)
    if (stamp === undefined || text === undefined) throw new UnknownTemplate(name)
    this.#stamps.set(asked, stamp)
    return { src: text, path: asked, noCache: false }
  }

  /** Makes nunjucks forget the templates whose files have changed since they were compiled. */
  refresh(): void {
    for (const [asked, stamp] of this.#stamps) {
      if (this.#files.stampOf(posix.join('/', asked).slice(1)) === stamp) continue
      this.#stamps.delete(asked)
      this.emit('update', asked)
    }
  }
}

/** The last line of nunjucks' message says what is wrong; those before say where, in its own words. */
function reasonOf(error: unknown): string {
  const [last = ''] = messageOf(error).trim().split('\n').slice(-1)
  const reason = last.trim().replace(/^Error: /, '')
  return reason.startsWith('attempted to output null or undefined') ? 'a value is not defined' : reason
}
