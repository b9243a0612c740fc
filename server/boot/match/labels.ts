// What a machine says about itself in the query of a boot request.

import type { Labels } from '#model/selector.ts'
import { normaliseMac } from '#model/mac.ts'
import { bytesOf, textOf } from '#model/text.ts'

/**
 * Reads the labels of a raw query (without its `?`) as Matchbox does: the first value of each key counts;
 * pairs that hold a `;` or a broken escape are dropped, never an error; a key that is `mac` in any case has
 * its address normalised, or is dropped when it is none.
 */
export function parseLabels(rawQuery: string): Labels {
  const labels = givenLabels(rawQuery)
  for (const [key, value] of Object.entries(labels)) {
    if (key.toLowerCase() !== 'mac') continue
    const mac = normaliseMac(value)
    if (mac === undefined) delete labels[key]
    else labels[key] = mac
  }
  return labels
}

/** The labels as they were given, before any address is normalised or dropped. */
export function givenLabels(rawQuery: string): Record<string, string> {
  const labels: Record<string, string> = Object.create(null) as Record<string, string>
  for (const pair of rawQuery.split('&')) {
    if (pair === '' || pair.includes(';')) continue
    const at = pair.indexOf('=')
    const key = unescape(at < 0 ? pair : pair.slice(0, at))
    const value = at < 0 ? '' : unescape(pair.slice(at + 1))
    if (key === undefined || value === undefined || key in labels) continue
    labels[key] = value
  }
  return labels
}

/**
 * The query of a request target, as it was received, without the `?`. Node gives the bytes of a target as Latin-1;
 * they are read as UTF-8 here.
 */
export function rawQueryOf(target: string): string {
  const at = target.indexOf('?')
  if (at < 0) return ''
  const query = target.slice(at + 1)
  return ASCII.test(query) ? query : textOf(Buffer.from(query, 'latin1'))
}

const ASCII = /^[\0-\x7f]*$/

/** Undoes form encoding; undefined when an escape is broken. Bytes that are not UTF-8 are kept, see `textOf`. */
function unescape(text: string): string | undefined {
  if (!text.includes('%') && !text.includes('+')) return text
  if (/%(?![0-9a-f]{2})/i.test(text)) return undefined
  const plain = text.replaceAll('+', ' ')
  if (!plain.includes('%')) return plain
  const bytes = plain.replaceAll(/%([0-9a-f]{2})|[^%]+/gi, (all, hex: string | undefined) =>
    hex === undefined ? bytesOf(all).toString('latin1') : String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return textOf(Buffer.from(bytes, 'latin1'))
}
