// Standard output for people. What objects hold may be anyone's: a user of the server's host can write labels and templates.

import { cleanLines } from '#server/match/clean.ts'

/**
 * Writes a text of several lines to standard output. On a terminal, control and format characters are escaped (`\x1b`), but for
 * line ends and tabs; a file or a pipe gets the text as it is.
 */
export function show(text: string): void {
  process.stdout.write(process.stdout.isTTY ? cleanLines(text, Infinity) : text)
}
