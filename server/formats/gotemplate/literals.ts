// What the literals of a template stand for: numbers, characters, and texts in either kind of quotes.

import { bytesOf, textOf } from '#model/text.ts'
import type { TokenKind } from './lexer.ts'
import type { Value } from './values.ts'

/** The value of a literal as it is written; undefined when it stands for none. */
export function literalOf(kind: TokenKind, text: string): Value | undefined {
  switch (kind) {
    case 'bool':
      return text === 'true'
    case 'raw':
      return text.slice(1, -1).replaceAll('\r', '')
    case 'string':
      return unquoted(text.slice(1, -1), '"')
    case 'character':
      return characterOf(text.slice(1, -1))
    case 'number':
      return numberOf(text)
    default:
      return undefined
  }
}

/** Whole numbers are Go's int, and those with a point or an exponent float64; undefined when Go would refuse it. */
function numberOf(text: string): Value | undefined {
  if (!/^[+-]?(?:0[xXoObB]_?)?[\da-fA-F]+(?:_[\da-fA-F]+)*(?:[.eE].*)?$/.test(text) && !/^[+-]?\./.test(text))
    return undefined
  const [sign, digits] = /^[+-]/.test(text) ? [text[0], text.slice(1)] : ['', text]
  const plain = digits.replaceAll('_', '')
  if (/[.eE]/.test(plain) && !/^0[xX]/.test(plain)) {
    const number = Number(plain)
    if (digits.includes('_') || !Number.isFinite(number)) return undefined
    return sign === '-' ? -number : number
  }
  const octal = /^0\d+$/.test(plain) ? `0o${plain.slice(1)}` : plain
  if (/^0o.*[89]/.test(octal)) return undefined
  const whole = BigInt(octal.toLowerCase()) * (sign === '-' ? -1n : 1n)
  return BigInt.asIntN(64, whole) === whole ? whole : undefined
}

/** One character between single quotes is its code point. */
function characterOf(inner: string): bigint | undefined {
  const text = unquoted(inner, "'")
  if (text === undefined) return undefined
  const [letter, ...more] = Array.from(text)
  const point = letter?.codePointAt(0)
  if (point === undefined || more.length > 0) return undefined
  return BigInt(point >= 0xdc80 && point <= 0xdcff ? point - 0xdc00 : point) // a byte by itself, such as '\xff'
}

const ESCAPE = /\\(?:([abfnrtv\\'"])|([0-7]{3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.?))/gsu

const LETTERS: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
}

/** Undoes the escapes of Go's quoted texts; undefined on one that Go does not know. */
function unquoted(inner: string, quote: string): string | undefined {
  let wrong = false
  const parts: Uint8Array[] = []
  let from = 0
  for (const match of inner.matchAll(ESCAPE)) {
    const [all, letter, octal, hex, short, long, other] = match
    parts.push(bytesOf(inner.slice(from, match.index)))
    from = match.index + all.length
    const byte = octal === undefined ? hex && Number.parseInt(hex, 16) : Number.parseInt(octal, 8)
    const point = Number.parseInt(short ?? long ?? '0', 16)
    if (other !== undefined || (octal !== undefined && Number(byte) > 255)) wrong = true
    else if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) wrong = true
    else if (letter === '"' || letter === "'") {
      wrong ||= letter !== quote
      parts.push(Buffer.from(letter))
    } else if (letter !== undefined) parts.push(Buffer.from(LETTERS[letter] ?? ''))
    else if (typeof byte === 'number') parts.push(Uint8Array.of(byte))
    else parts.push(Buffer.from(String.fromCodePoint(point)))
  }
  parts.push(bytesOf(inner.slice(from)))
  return wrong ? undefined : textOf(Buffer.concat(parts))
}
