// A question with yes or no at the terminal, while stages are drawn there.

import { createInterface } from 'node:readline/promises'
import type { Drawing } from '#progress/terminal.ts'

/** Shows `text` above the stages and reads one line; anything but `y` or `yes` is no. */
export async function askYes(
  text: string,
  drawing: Pick<Drawing, 'line'>,
  signal: AbortSignal,
): Promise<boolean> {
  for (const line of text.split('\n')) drawing.line(line)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question('[y/N] ', { signal })).trim())
  } finally {
    terminal.close()
  }
}
