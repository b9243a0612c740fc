// Standard output: the one place where the command line writes what a server, a file or a host said. That may be anyone's: a user of
// the server's host can write labels and templates, and the server itself may be a false one.

import { cleanLines } from '#model/clean.ts'

/** The version of the form of all JSON that the command line prints. */
export const API_VERSION = 'pilotlight/v1'

/** What a terminal obeys, or what turns the reading around, as in model/clean.ts. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const ALL_UNSAFE_BUT_LINES = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/**
 * Writes a text whose bytes a program may want. On a terminal, control and format characters are escaped (`\x1b`), but for
 * line ends and tabs; a file or a pipe gets the text as it is.
 */
export function show(text: string): void {
  process.stdout.write(process.stdout.isTTY ? cleanLines(text, Infinity) : text)
}

/** Writes lines for people and a line end; control and format characters are escaped wherever it goes, but for line ends and tabs. */
export function print(text: string): void {
  process.stdout.write(`${cleanLines(text, Infinity)}\n`)
}

let printedJson = false

/** Writes a result as indented JSON with the version of its form; a list goes below `items`. See `jsonText`. */
export function printJson(value: object): void {
  printedJson = true
  process.stdout.write(`${jsonText(versioned(value), 2)}\n`)
}

/** Says whether standard output has a result already, which an error as JSON would spoil. */
export function hasPrintedJson(): boolean {
  return printedJson
}

/** A value as each JSON output begins: `apiVersion` first, a list below `items`. */
export function versioned(value: object): object {
  return { apiVersion: API_VERSION, ...(Array.isArray(value) ? { items: value as unknown[] } : value) }
}

/** A value as JSON in which each control and format character is an escape of JSON: another way to write the same value. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replaceAll(ALL_UNSAFE_BUT_LINES, text =>
    Array.from({ length: text.length }, (_, at) => `\\u${hexOf(text.charCodeAt(at), 4)}`).join(''),
  )
}

/** A value as a document of YAML in which each control and format character is an escape of YAML. */
export async function yamlText(value: unknown): Promise<string> {
  const { Document, visit } = await import('yaml')
  const document = new Document(value)
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string' && UNSAFE.test(node.value.replaceAll('\n', '')))
        node.type = 'QUOTE_DOUBLE' // the only form with escapes
    },
  })
  return document.toString({ lineWidth: 0 }).replaceAll(ALL_UNSAFE_BUT_LINES, text => {
    const code = text.codePointAt(0) ?? 0
    return code > 0xffff ? `\\U${hexOf(code, 8)}` : `\\u${hexOf(code, 4)}`
  })
}

function hexOf(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
