// Asks both of us and the real tool, and keeps what no row of the divergences explains.

import { localFilesBelow } from '#server/formats/butane/local-files.ts'
import { type Difference, difference } from './compare.ts'
import { unexplained } from './divergences.ts'
import { judge, type Question } from './judge.ts'

/** What came of a batch of configs. */
export type Outcome = {
  readonly asked: number
  /** How many of them the real tool takes. */
  readonly accepted: number
  /** How many of them have a warning of the real tool, but no error. */
  readonly warned: number
  /** How many of them differ, explained or not. */
  readonly differing: number
  readonly unexplained: readonly Difference[]
}

/** Judges configs, whose local files are below `filesDir`, twice. */
export async function ask(questions: readonly Question[], filesDir: string): Promise<Outcome> {
  const files = localFilesBelow(filesDir)
  const verdicts = await judge(questions)
  const differences = questions.flatMap(
    (question, index) => difference(question, verdicts[index]!, files) ?? [],
  )
  return {
    asked: questions.length,
    accepted: verdicts.filter(({ accepted }) => accepted).length,
    warned: verdicts.filter(({ accepted, entries }) => accepted && entries.length > 0).length,
    differing: differences.length,
    unexplained: differences.flatMap(({ question, said }) => {
      const left = unexplained(question, said)
      return left.length === 0 ? [] : [{ question, said: left }]
    }),
  }
}

/** The differences for a person: text, then what was said of it. */
export function differencesText(differences: readonly Difference[]): string {
  return differences.map(({ question, said }) => `${question.text}\n${said.join('\n')}\n`).join('\n')
}
