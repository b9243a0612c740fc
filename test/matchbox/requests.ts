// Conditional and partial requests, made up from a seed: dates in all forms and none, tags, ranges, and pieces of them.

import type { Random } from '../../bench/random.ts'

/** A request for a file, and the file. */
export type ContentCase = {
  readonly method: string
  readonly headers: readonly (readonly [string, string])[]
  readonly size: number
  /** Seconds; -1 where the content has no date. */
  readonly mtime: number
  readonly etag: string
}

/** The `turn`th case of a seed's numbers. */
export function contentCase(random: Random): ContentCase {
  const size = pick(random, [0, 1, 5, 26, 35, 35, 35, 300])
  const mtime = pick(random, [-1, 0, 784111777, 784111777.25, 1704164645, 1704164645.999, -0.5])
  const etag = pick(random, ['', '', '"a-b"', 'W/"a-b"'])
  const headers: [string, string][] = []
  const add = (share: number, name: string, value: () => string) => {
    if (random() < share) headers.push([name, value()])
  }
  add(0.7, 'Range', () => rangeText(random))
  add(0.05, 'Range', () => rangeText(random))
  add(0.2, 'If-Range', () => pick(random, [tags(random), dateText(random)]))
  add(0.2, 'If-Match', () => tags(random))
  add(0.2, 'If-None-Match', () => tags(random))
  add(0.2, 'If-Modified-Since', () => dateText(random))
  add(0.2, 'If-Unmodified-Since', () => dateText(random))
  const method = pick(random, ['GET', 'GET', 'GET', 'HEAD', 'POST', 'DELETE'])
  return { method, headers, size, mtime: mtime < 0 ? -1 : mtime, etag }
}

/** A date of HTTP, mostly; dates near those of `contentCase` come often. */
export function dateText(random: Random): string {
  let text = pick(random, DATES)
  for (let change = random() < 0.5 ? 0 : 1 + Math.floor(random() * 2); change > 0; change -= 1) {
    const parts = text.match(/[A-Za-z]+|\d+|[^A-Za-z\d]/g) ?? []
    parts[Math.floor(random() * parts.length)] = pick(random, DATE_PIECES)
    text = parts.join('')
  }
  return text.trim()
}

function rangeText(random: Random): string {
  const parts = Array.from({ length: 1 + Math.floor(random() * random() * 4) }, () => {
    const space = () => pick(random, ['', '', '', ' ', '\t'])
    const first = pick(random, NUMBERS)
    const last = pick(random, NUMBERS)
    return `${space()}${first}${space()}${pick(random, ['-', '-', '-', '-', '-', '', '--'])}${space()}${last}${space()}`
  })
  return (
    pick(random, ['bytes=', 'bytes=', 'bytes=', 'bytes=', 'bytes=', 'bytes= ', 'Bytes=', 'rows=', 'bytes']) +
    parts.join(',')
  ).trim()
}

function tags(random: Random): string {
  const count = Math.floor(random() * 4)
  return Array.from({ length: count }, () => pick(random, TAGS))
    .join(pick(random, [',', ', ', ' , ', ' ', ',,']))
    .trim()
}

const DATES = [
  'Sun, 06 Nov 1994 08:49:37 GMT',
  'Sun, 06 Nov 1994 08:49:36 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Sun Nov  6 08:49:37 1994',
  'Tue, 02 Jan 2024 03:04:05 GMT',
  'Tuesday, 02-Jan-24 03:04:05 UTC',
  'Tue Jan  2 3:04:05 2024',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Thu, 29 Feb 2024 23:59:59 GMT',
  'Friday, 13-May-68 12:00:00 GMT+3',
  'Friday, 13-May-69 12:00:00 CEST',
]
const DATE_PIECES =
  ' |  |0|1|9|24|60|GMT|UTC|EST|ESTX|WITA|AMSTT|ABCDET|+05|-23|GMT+24|GMT-9|GMT+003|.5|,123|-|:|,|sun|MON|Tuesday|jan|FEB|dec|x|Jan|31|30|29|00|1970|99|69|ChST|gmt|UTCT'.split(
    '|',
  )
const NUMBERS =
  '|||0|0|1|2|4|5|9|25|26|34|35|36|90|299|300|+1|-1|-0|+|N|0x1|1_0|1e1|007|9223372036854775807|9223372036854775808|18446744073709551616|-9223372036854775808'.split(
    '|',
  )
const TAGS = ['"a-b"', 'W/"a-b"', '"x"', '*', '""', 'a-b', '"a b"', 'w/"a-b"', '"a-b', '"\u00e9"', 'W/', '*x']

/** One of several, by chance. */
export function pick<T>(random: Random, of: readonly T[]): T {
  return of[Math.floor(random() * of.length)]! // the number is below its length
}
