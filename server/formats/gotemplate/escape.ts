// What `html`, `js` and `urlquery` make of a text.

import { bytesOf } from '#model/text.ts'
import { isPrintable } from './quotes.ts'

const HTML: Readonly<Record<string, string>> = {
  '\0': '\ufffd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
}

/** A text between the tags of an HTML page, or in an attribute. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[\0"'&<>]/g, letter => HTML[letter] ?? letter)
}

/** A text between the quotes of a JavaScript string. */
export function escapeJs(text: string): string {
  return Array.from(text, letter => {
    if (/[\\'"]/.test(letter)) return `\\${letter}`
    const point = letter.codePointAt(0) ?? 0
    if (point >= 0x20 && point < 0x80 && !/[<>&=]/.test(letter)) return letter
    const isByte = point >= 0xdc80 && point <= 0xdcff // one that is not UTF-8
    if (point >= 0x80 && (isByte || isPrintable(letter))) return letter
    return `\\u${point.toString(16).toUpperCase().padStart(4, '0')}`
  }).join('')
}

/** A text in the query of a URL; a space becomes a plus. */
export function escapeQuery(text: string): string {
  return Array.from(bytesOf(text), byte => {
    const letter = String.fromCharCode(byte)
    if (/[\w.~-]/.test(letter)) return letter
    return letter === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }).join('')
}
