// What the literals of a template stand for: numbers, characters, and texts in either kind of quotes.

import { bytesOf, textOf } from '#model/text.ts'
import type { TokenKind } from './lexer.ts'
import { NUMBER, parseFloat64 } from './numbers.ts'
import { Complex128, Float64, type Value } from './values.ts'

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

/**
 * Whole numbers are Go's int, those with a point or an exponent float64, and those with an `i` complex128; undefined when Go
 * would refuse it. A whole number of 64 bits that is no int is given too: its use is the error.
 */
function numberOf(text: string): Value | undefined {
  if (text.endsWith('i')) return complexOf(text.slice(0, -1))
  const whole = wholeOf(text)
  const size = whole === undefined ? parseFloat64(text) : Number(whole)
  if (size === undefined) return undefined
  // With a sign Go does not see that a hexadecimal number has no exponent, but an E among its digits.
  const isHexInt = /^0[xX].[^pP]*$/.test(text)
  if (!isHexInt && /[.eEpP]/.test(text)) return new Float64(size)
  return whole
}

/** A whole number of 64 bits, with a sign or without, in any base; undefined for anything else. */
function wholeOf(text: string): bigint | undefined {
  const [, sign, prefix = '', digits = ''] =
    /^([+-]?)(0[xX]_?(?=[\da-fA-F])|0[oO]?_?(?=[0-7])|0[bB]_?(?=[01])|)([\da-fA-F]+(?:_[\da-fA-F]+)*)$/.exec(
      text,
    ) ?? []
  const base = /^0[xXoObB]/.test(prefix) ? prefix.slice(0, 2).toLowerCase() : prefix === '' ? '' : '0o'
  const plain = digits.replaceAll('_', '')
  if (!(DIGITS[base] ?? /^(?:0|[1-9]\d*)$/).test(plain)) return undefined
  const size = BigInt(base + plain)
  if (sign === '-') return size <= 1n << 63n ? -size : undefined
  return size < 1n << (sign === '+' ? 63n : 64n) ? size : undefined
}

const DIGITS: Readonly<Record<string, RegExp>> = { '0x': /^[\da-fA-F]+$/, '0o': /^[0-7]+$/, '0b': /^[01]+$/ }

/** `2` of `2i`, or `1+2` of `1+2i`. */
function complexOf(text: string): Complex128 | undefined {
  NUMBER.lastIndex = 0
  const [first = ''] = NUMBER.exec(text) ?? []
  const [real, imaginary] =
    first === text ? [0, parseFloat64(text)] : [first, text.slice(first.length)].map(parseFloat64)
  return real === undefined || imaginary === undefined ? undefined : new Complex128(real, imaginary)
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
