// `pilotlight help PL-1002`: the paragraph of docs/errors.md on an error, or the exit codes in words.

import { readFile } from 'node:fs/promises'
import { EXIT, EXIT_MEANINGS } from './exit.ts'

/** The text on a topic, or undefined when there is none. */
export async function helpTopic(topic: string, errorsPage: string): Promise<string | undefined> {
  if (topic === 'exit-codes') {
    const names = Object.keys(EXIT) as (keyof typeof EXIT)[] // its own keys, none other
    return names.map(name => `${String(EXIT[name]).padStart(3)}  ${EXIT_MEANINGS[name]}`).join('\n')
  }
  const page = await readFile(errorsPage, 'utf8')
  const paragraph = page.split(/^## /m).find(part => part.startsWith(`${topic.toUpperCase()} `))
  return paragraph?.trim()
}
