// What is wrong in a file that a person wrote: code, place, what, and how to fix it.

import { PilotlightError } from '#model/error.ts'

/** One mistake in a file. Lines and columns count from 1. */
export type Problem = {
  /** For example `PL-1002`; docs/errors.md has a paragraph on each. */
  readonly code: ProblemCode
  readonly file: string
  readonly line: number
  readonly column: number
  /** What is wrong, with the value seen. */
  readonly what: string
  /** What to do about it. */
  readonly remedy: string
}

/** Every kind of mistake that files can have; docs/errors.md has the texts. */
export const problemCodes = {
  'PL-1001': 'not readable as YAML',
  'PL-1002': 'unknown key',
  'PL-1003': 'missing key',
  'PL-1004': 'wrong value',
  'PL-1005': 'unknown role',
  'PL-1006': 'networks overlap',
  'PL-1007': 'written twice',
  'PL-1008': 'missing file',
  'PL-1009': 'not built yet',
  'PL-1010': 'too large',
} as const

/** A key of `problemCodes`. */
export type ProblemCode = keyof typeof problemCodes

/** Thrown when a file cannot be used. Nothing has been started or changed when it is thrown. */
export class FileProblems extends PilotlightError {
  readonly code = 'FILE_PROBLEMS'
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(problems.map(describeProblem).join('\n'))
    this.problems = problems
  }
}

/** Two lines for a person: place and mistake, then the remedy. */
function describeProblem({ code, file, line, column, what, remedy }: Problem): string {
  return `${code} ${file}:${line}:${column} ${what}\n  ${remedy}`
}
