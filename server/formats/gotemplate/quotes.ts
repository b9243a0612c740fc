// Texts and characters in Go's quotes, as `%q` prints them.

import { bytesOf } from '#model/text.ts'

/** A text in double quotes; only in ASCII with `ascii`, in backquotes with `raw` where they can hold it. */
export function quoted(text: string, ascii: boolean, raw: boolean): string {
  if (raw && !/[`\x7f\ufeff\udc80-\udcff]|[^\t\x20-\u{10ffff}]/u.test(text)) return `\`${text}\``
  return `"${Array.from(text, letter => shown(letter, '"', ascii)).join('')}"`
}

/** A character in single quotes. */
export function quotedLetter(letter: string, ascii: boolean): string {
  return `'${shown(letter, "'", ascii)}'`
}

/** Says whether Go counts a character as printable: letters, marks, digits, punctuation, symbols, and the plain space. */
export function isPrintable(letter: string): boolean {
  return letter === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(letter)
}

const LETTERS: ReadonlyMap<string, string> = new Map([
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
])

function shown(letter: string, quote: string, ascii: boolean): string {
  if (letter === quote || letter === '\\') return `\\${letter}`
  const point = letter.codePointAt(0) ?? 0
  if (isPrintable(letter) && (!ascii || point < 0x80)) return letter
  const known = LETTERS.get(letter)
  if (known !== undefined) return known
  if (point < 0x20 || point === 0x7f) return `\\x${hex(point, 2)}`
  if (point >= 0xdc80 && point <= 0xdcff) return `\\x${hex(bytesOf(letter)[0] ?? 0, 2)}`
  return point < 0x10000 ? `\\u${hex(point, 4)}` : `\\U${hex(point, 8)}`
}

function hex(number: number, digits: number): string {
  return number.toString(16).padStart(digits, '0')
}
