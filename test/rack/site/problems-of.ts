// What the reader of site files says against one.

import { FileProblems } from '#rack/site/problems.ts'
import { parseSite } from '#rack/site/read.ts'

/** The problems of a site file that must not be read. */
export function problemsOf(text: string): FileProblems {
  try {
    parseSite('site.yaml', text)
  } catch (error) {
    if (error instanceof FileProblems) return error
    throw error
  }
  throw new Error(`was read: ${text}`)
}
