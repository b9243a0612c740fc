// Questions at the terminal.

import { createInterface } from 'node:readline/promises'
import { cleanLines } from '#model/clean.ts'
import type { Drawing } from '#progress/terminal.ts'

/** Shows the lines of `text` above the stages, without what a terminal obeys: a server may have written parts of it. */
export function printLines(text: string, drawing: Pick<Drawing, 'line'>): void {
  for (const line of cleanLines(text, Infinity).split('\n')) drawing.line(line)
}

/** Shows `text` above the stages and reads one line; anything but `y` or `yes` is no, and so is the end of the input (Ctrl-D). */
export async function askYes(
  text: string,
  drawing: Pick<Drawing, 'line'>,
  signal?: AbortSignal,
): Promise<boolean> {
  printLines(text, drawing)
  return /^y(es)?$/i.test((await askLine('[y/N] ', signal)) ?? '')
}

/**
 * Asks on standard error, and reads one line of standard input, without the space around it; undefined when the input ends or
 * Ctrl-C is pressed before one is complete.
 */
export async function askLine(question: string, signal?: AbortSignal): Promise<string | undefined> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // Its own promise is never settled when the input ends.
  const ended = new Promise<undefined>(resolve => terminal.once('close', () => resolve(undefined)))
  const answered = terminal.question(question, signal === undefined ? {} : { signal })
  try {
    return (await Promise.race([answered, ended]))?.trim()
  } finally {
    terminal.close()
  }
}
