// `pilotlight help PL-1002`: what docs/errors.md says of an error, or what the exit codes mean.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nearest } from '#model/nearest.ts'
import { Failure } from '#model/error.ts'
import { withoutLinks } from '../error-report.ts'
import { EXIT, EXIT_MEANINGS } from '../exit.ts'
import { ROOT } from '../root.ts'
import { printJson, show } from '../terminal/show.ts'
import { VERBS } from '../verbs.ts'

/**
 * Prints the text on a topic.
 *
 * @param ofCommand the text of a command that the words name
 * @throws {Failure} NOT_FOUND when there is none
 */
export async function printTopic(words: readonly string[], json = false, ofCommand?: string): Promise<void> {
  const topic = words.join(' ')
  const text = ofCommand ?? (await helpTopic(topic, join(ROOT, 'docs', 'errors.md')))
  if (text !== undefined) return json ? printJson({ topic, text }) : show(`${text}\n`)
  const names = [...VERBS.map(({ name }) => name), 'exit-codes']
  const begun = names.filter(name => words.length === 1 && topic !== '' && name.startsWith(topic))
  const meant = begun.length === 1 ? begun[0] : nearest(words[0] ?? '', names)
  const code = /^pl-?\d/i.test(topic)
    ? 'pilotlight help PL-1002 , or the code as the message has it'
    : undefined
  const remedy = code ?? (meant === undefined ? 'pilotlight --help' : `pilotlight help ${meant}`)
  throw new Failure('NOT_FOUND', `there is no help on "${topic}"`, remedy)
}

/** The text on a topic, or undefined when there is none. A code's own paragraph goes before its row in the table of all codes. */
export async function helpTopic(topic: string, errorsPage: string): Promise<string | undefined> {
  if (topic === 'exit-codes') {
    const names = Object.keys(EXIT) as (keyof typeof EXIT)[] // its own keys, none other
    return names.map(name => `${String(EXIT[name]).padStart(3)}  ${EXIT_MEANINGS[name]}`).join('\n')
  }
  const page = await readFile(errorsPage, 'utf8')
  const code = topic.toUpperCase()
  const paragraph = page.split(/^##? /m).find(part => part.startsWith(`${code} `))
  return paragraph?.trim() ?? rowOf(code, page)
}

/** A row of the table as lines. */
function rowOf(code: string, page: string): string | undefined {
  const row = page.split('\n').find(line => line.startsWith(`| \`${code}\` |`))
  if (row === undefined) return undefined
  const [, status = '', means = '', remedy = ''] = row.replace(/ \|$/, '').split(' | ').map(withoutLinks)
  const kind = Number(status) >= 400 ? 'HTTP' : 'exit status'
  return `${code} (${kind} ${status})\n${means}\n${remedy}`
}
