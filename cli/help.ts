// `pilotlight help PL-1002`: the paragraph of docs/errors.md on an error, or the table of exit codes.

import { readFile } from 'node:fs/promises'
import { EXIT } from './exit.ts'

/** The text on a topic, or undefined when there is none. */
export async function helpTopic(topic: string, errorsPage: string): Promise<string | undefined> {
  if (topic === 'exit-codes') {
    return Object.entries(EXIT)
      .map(([name, status]) => `${String(status).padStart(3)}  ${name}`)
      .join('\n')
  }
  const page = await readFile(errorsPage, 'utf8')
  const paragraph = page.split(/^## /m).find(part => part.startsWith(`${topic.toUpperCase()} `))
  return paragraph?.trim()
}
