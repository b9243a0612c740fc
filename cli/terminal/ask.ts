// A question with yes or no at the terminal, while stages are drawn there.

import { createInterface } from 'node:readline/promises'
import { cleanLines } from '#model/clean.ts'
import type { Drawing } from '#progress/terminal.ts'

/** Shows the lines of `text` above the stages, without what a terminal obeys: a server may have written parts of it. */
export function printLines(text: string, drawing: Pick<Drawing, 'line'>): void {
  for (const line of cleanLines(text, Infinity).split('\n')) drawing.line(line)
}

/** Shows `text` above the stages and reads one line; anything but `y` or `yes` is no. */
export async function askYes(
  text: string,
  drawing: Pick<Drawing, 'line'>,
  signal: AbortSignal,
): Promise<boolean> {
  printLines(text, drawing)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question('[y/N] ', { signal })).trim())
  } finally {
    terminal.close()
  }
}
