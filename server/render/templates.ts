// The templates of a data directory (`*.njk`), rendered strictly: a name that is not there is an error with its line,
// and values are put in as they are. What clients send is only ever a value, never template source.

import { readFileSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import nunjucks from 'nunjucks'
import { messageOf } from '#progress/wait.ts'
import { TemplateFailed, UnknownTemplate } from '../errors.ts'

/** The values that a template sees, by name. */
export type TemplateContext = Readonly<Record<string, unknown>>

/** The templates below one folder; a file that changes is read again at its next use. */
export class Templates {
  readonly #files: FileLoader
  readonly #environment: nunjucks.Environment

  constructor(root: string) {
    this.#files = new FileLoader(root)
    this.#environment = new nunjucks.Environment(this.#files, { autoescape: false, throwOnUndefined: true })
    this.#environment.addFilter('json', (value: unknown) => JSON.stringify(value))
    this.#environment.addFilter('dataurl', dataUrl)
  }

  /** Says whether there is a template of this name. */
  has(name: string): boolean {
    return this.#files.has(name)
  }

  /**
   * Renders the template `name`, a path below the root. Besides `context` it sees `file('units/x.service')`: the text
   * of a template below its own folder, rendered with the same values.
   *
   * @throws {UnknownTemplate} 404, when there is no such file
   * @throws {TemplateFailed} 500, with the line and the reason
   */
  render(name: string, context: TemplateContext): string {
    this.#files.refresh()
    const folder = posix.dirname(name)
    const values = {
      ...context,
      file: (partial: string) => this.#renderOne(posix.join(folder, partial), values),
    }
    return this.#renderOne(name, values)
  }

  /**
   * Renders a text that is a template itself, such as a kernel argument of a profile; `name` is for the error.
   *
   * @throws {TemplateFailed} 500, with the reason
   */
  renderText(name: string, text: string, context: TemplateContext): string {
    if (!text.includes('{{') && !text.includes('{%')) return text
    try {
      return this.#environment.renderString(text, context)
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
    if (!this.#files.has(name)) throw new UnknownTemplate(name)
    return this.#files.text(name)
  }

  #renderOne(name: string, context: TemplateContext): string {
    if (!this.#files.has(name)) throw new UnknownTemplate(name)
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
    const line = place && this.#files.text(name).split('\n')[Number(place[1]) - 1]
    return line ? `line ${place[1]}: ${reasonOf(error)} in "${line.trim()}"` : reasonOf(error)
  }
}

/** `text` as a `data:` URL, which is how an Ignition config carries the content of a file. */
export function dataUrl(text: unknown): string {
  return `data:;base64,${Buffer.from(String(text)).toString('base64')}`
}

class FileLoader extends nunjucks.Loader implements nunjucks.ILoader {
  readonly #root: string
  readonly #stamps = new Map<string, string>()
  // Nunjucks tells a loader that answers at once from one that calls back by this field.
  readonly async = false as const

  constructor(root: string) {
    super()
    this.#root = root
  }

  has(name: string): boolean {
    return this.#stampOf(name) !== undefined
  }

  text(name: string): string {
    return readFileSync(this.#pathOf(name), 'utf8')
  }

  getSource(name: string): nunjucks.LoaderSource {
    const stamp = this.#stampOf(name)
    if (stamp === undefined) throw new UnknownTemplate(name)
    this.#stamps.set(name, stamp)
    return { src: this.text(name), path: name, noCache: false }
  }

  /** Makes nunjucks forget the templates whose files have changed since they were compiled. */
  refresh(): void {
    for (const [name, stamp] of this.#stamps) {
      if (this.#stampOf(name) === stamp) continue
      this.#stamps.delete(name)
      this.emit('update', name)
    }
  }

  #stampOf(name: string): string | undefined {
    try {
      const file = statSync(this.#pathOf(name))
      return file.isFile() ? `${file.mtimeMs} ${file.size} ${file.ino}` : undefined
    } catch {
      return undefined
    }
  }

  /** Names come from profiles and templates; none of them leads out of the root. */
  #pathOf(name: string): string {
    return join(this.#root, posix.join('/', name))
  }
}

/** The last line of nunjucks' message says what is wrong; those before say where, in its own words. */
function reasonOf(error: unknown): string {
  const [last = ''] = messageOf(error).trim().split('\n').slice(-1)
  const reason = last.trim().replace(/^Error: /, '')
  return reason.startsWith('attempted to output null or undefined') ? 'a value is not defined' : reason
}
