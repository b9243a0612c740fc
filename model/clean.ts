// Text from the wire, made safe to show: in a log, a journal, an error, a terminal or a page. It is cleaned where it
// enters (the journal, errors, the log of requests), so that none of those has to clean it again. Matching and templates
// never use it: they work with what the machine sent.

import type { Labels } from './selector.ts'

/** Limits of texts that are kept or shown. */
export const LIMITS = {
  /** Characters (UTF-16 units) of a boot event's text. */
  eventText: 300,
  /** Bytes of a label's key and of its value, and of a value in an event's detail. */
  labelBytes: 256,
  /** Labels that one message lists. */
  labels: 16,
  /** Characters of the end of a log that an agent reports. */
  reportLog: 8192,
  /** Characters of the path, and of the query, of a request in the log. */
  requestTarget: 512,
} as const

/**
 * What is not shown as it is: control characters (C0, DEL, C1), format characters (bidirectional overrides, zero-width
 * characters), line and paragraph separators, and halves of surrogate pairs, which also stand for bytes that are not UTF-8
 * (see `textOf`).
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const ALL_UNSAFE = new RegExp(UNSAFE, 'gu')
const ALL_UNSAFE_BUT_LINES = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
/** What is not printable ASCII: a text without it is safe, which is far quicker to find out. */
const NOT_PLAIN = /[^ -~]/
const CUT = '…'

/**
 * `text` on one line, at most `limit` UTF-16 units long. Unsafe characters become `\xNN` (below U+0100, and bytes that are not
 * UTF-8) or `\u{N}`; what is cut off ends with `…`. A text that is safe and short enough is given back as it is, so that
 * cleaning twice changes nothing.
 */
export function cleanText(text: string, limit: number = LIMITS.eventText): string {
  if (text.length <= limit && !NOT_PLAIN.test(text)) return text
  // An escape is longer than its character: more than `limit` characters are never needed.
  const start = text.length > limit ? text.slice(0, limit + 1) : text
  return cut(UNSAFE.test(start) ? start.replaceAll(ALL_UNSAFE, escaped) : start, limit)
}

/** The last `limit` UTF-16 units of a text of several lines, cleaned as `cleanText` does it; line ends and tabs stay. */
export function cleanLines(text: string, limit: number = LIMITS.reportLog): string {
  const clean = withoutHalf(text, limit).replaceAll(ALL_UNSAFE_BUT_LINES, escaped)
  if (clean.length <= limit && text.length <= limit) return clean
  return CUT + withoutHalf(clean, limit - 1)
}

/** A label's key or value for people: cleaned, at most 256 bytes of UTF-8. */
export function cleanLabel(text: string): string {
  const clean = cleanText(text, LIMITS.labelBytes)
  if (clean.length * 3 <= LIMITS.labelBytes || Buffer.byteLength(clean) <= LIMITS.labelBytes) return clean
  let bytes = Buffer.byteLength(CUT)
  let end = 0
  for (const character of clean) {
    bytes += Buffer.byteLength(character)
    if (bytes > LIMITS.labelBytes) break
    end += character.length
  }
  return clean.slice(0, end) + CUT
}

/** Labels for a message, `mac=52:54:… rack=a`; empty when there are none. */
export function labelsText(labels: Labels): string {
  const all = Object.entries(labels)
  const shown = all.slice(0, LIMITS.labels).map(([key, value]) => `${cleanLabel(key)}=${cleanLabel(value)}`)
  const more = all.length - shown.length
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join(' ')
}

/** The first `most` of these names, and how many more there are: `ctl-1 cmp-1 and 3 more`. */
export function someOf(names: readonly string[], most: number): string {
  const more = names.length - most
  return `${names.slice(0, most).join(' ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** A line of JSON or of quoted words whose unsafe characters are JSON escapes: the value is the same, and no terminal obeys it. */
export function escapeJson(line: string): string {
  return UNSAFE.test(line) ? line.replaceAll(ALL_UNSAFE, jsonEscape) : line
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  const byte = code >= 0xdc80 && code <= 0xdcff ? code - 0xdc00 : code
  return byte < 0x100 ? `\\x${byte.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}

function jsonEscape(character: string): string {
  return character
    .split('')
    .map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}

/** The last `limit` units, less the half of a pair that the cut would split. */
function withoutHalf(text: string, limit: number): string {
  if (text.length <= limit) return text
  return text.slice(text.length - limit).replace(/^[\udc00-\udfff]/, '')
}

function cut(text: string, limit: number): string {
  if (text.length <= limit) return text
  const start = text.slice(0, limit - 1)
  return (/[\ud800-\udbff]$/.test(start) ? start.slice(0, -1) : start) + CUT
}
