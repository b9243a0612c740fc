// Conditional and partial requests (RFC 9110 §13 and §14) with the answers of Go's file server, as pure functions of
// request and file.

import { httpDateMs } from './http-date.ts'

/** Part of a file: the first byte and how many. */
export type Range = { readonly start: number; readonly length: number }

/** What headers are compared with; a page made for the request has neither validator. */
export type FileState = {
  readonly size: number
  readonly etag?: string
  readonly mtimeMs?: number
}

/** The headers that count, by their names in lower case. */
export type ConditionalHeaders = Readonly<Record<string, string | undefined>>

/** What to answer: the whole, parts of it (one or more), or none of it. */
export type Plan =
  | { readonly status: 200 }
  | { readonly status: 304 }
  | { readonly status: 412 }
  | { readonly status: 206; readonly parts: readonly [Range, ...Range[]] }
  | { readonly status: 416; readonly reason: 'invalid range' | 'invalid range: failed to overlap' }

/** Decides how a request for a file is answered, in the order and with the readings of Go's `http.ServeContent`. */
export function planOf(method: string, headers: ConditionalHeaders, file: FileState): Plan {
  if (hasChanged(headers, file)) return { status: 412 }
  const reads = method === 'GET' || method === 'HEAD'
  if (headers['if-none-match']) {
    if (isListed(headers['if-none-match'], file)) return { status: reads ? 304 : 412 }
  } else if (reads && isUnchanged(headers, file)) return { status: 304 }
  const parts = !reads || mayRange(headers, file) ? rangesOf(headers['range'], file.size) : []
  if (typeof parts === 'string') return { status: 416, reason: parts }
  const [first, ...others] = parts
  // More than the file has is cheaper as a whole, and an attack otherwise.
  const bytes = parts.reduce((sum, { length }) => sum + length, 0)
  return first === undefined || bytes > file.size
    ? { status: 200 }
    : { status: 206, parts: [first, ...others] }
}

/**
 * Reads a `Range` header: the parts that are in the file (no part means the whole file), or why it is refused. An
 * empty file has no parts from a first byte on, and clients that always ask for some get it whole. Numbers are those of
 * Go's int64, which may have a sign; what follows a start beyond the file is not read. The last 0 bytes, `-0`, are a part
 * without content.
 */
export function rangesOf(
  header: string | undefined,
  size: number,
): Range[] | 'invalid range' | 'invalid range: failed to overlap' {
  if (header === undefined || header === '') return []
  if (!header.startsWith('bytes=')) return 'invalid range'
  const ranges: Range[] = []
  let beyond = false
  for (const text of header.slice('bytes='.length).split(',')) {
    if (trimmed(text) === '') continue
    const dash = text.indexOf('-')
    if (dash < 0) return 'invalid range'
    const [first, last] = [trimmed(text.slice(0, dash)), trimmed(text.slice(dash + 1))]
    const [from, to] = [int64(first), int64(last)]
    if (first === '') {
      if (to === undefined || last.startsWith('-')) return 'invalid range'
      const start = Math.max(size - to, 0)
      ranges.push({ start, length: size - start })
    } else if (from === undefined || from < 0) return 'invalid range'
    else if (from >= size) beyond = true
    else if (last === '') ranges.push({ start: from, length: size - from })
    else if (to === undefined || to < from) return 'invalid range'
    else ranges.push({ start: from, length: Math.min(to, size - 1) - from + 1 })
  }
  return beyond && ranges.length === 0 && size > 0 ? 'invalid range: failed to overlap' : ranges
}

/** A text without the white space of HTTP around it (RFC 9110 §5.6.3). */
function trimmed(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && ' \t'.includes(text.charAt(start))) start += 1
  while (end > start && ' \t'.includes(text.charAt(end - 1))) end -= 1
  return text.slice(start, end)
}

/** A decimal number of 64 bits with or without a sign; undefined for anything else. */
function int64(text: string): number | undefined {
  const [, sign = '', digits] = /^([+-]?)0*(\d{1,19})$/.exec(text) ?? []
  if (digits === undefined) return undefined
  const whole = BigInt(sign === '-' ? `-${digits}` : digits)
  return BigInt.asIntN(64, whole) === whole ? Number(whole) : undefined
}

/** `If-Match`, else `If-Unmodified-Since`: says whether the client means another state of the file. */
function hasChanged(
  { 'if-match': tags, 'if-unmodified-since': since }: ConditionalHeaders,
  file: FileState,
): boolean {
  if (tags) return !tagsIn(tags).some(tag => tag === '*' || (tag === file.etag && tag.startsWith('"')))
  const [seconds, date] = [secondsOf(file), httpDateMs(since ?? '')]
  return seconds !== undefined && date !== undefined && seconds > date
}

function isUnchanged({ 'if-modified-since': since }: ConditionalHeaders, file: FileState): boolean {
  const [seconds, date] = [secondsOf(file), httpDateMs(since ?? '')]
  return seconds !== undefined && date !== undefined && seconds <= date
}

/** Says whether a range still means the file that the client began with (`If-Range`). */
function mayRange({ 'if-range': condition }: ConditionalHeaders, { etag, mtimeMs }: FileState): boolean {
  if (!condition) return true
  const tag = tagAt(trimmed(condition))
  if (tag !== undefined) return tag === etag && tag.startsWith('"')
  const date = httpDateMs(condition)
  return date !== undefined && mtimeMs !== undefined && date === Math.floor(mtimeMs / 1000) * 1000
}

function isListed(tags: string, { etag }: FileState): boolean {
  return tagsIn(tags).some(tag => tag === '*' || (etag !== undefined && strong(tag) === strong(etag)))
}

function strong(tag: string): string {
  return tag.replace(/^W\//, '')
}

/** The tags of a list up to the first that is not well-formed; `*` ends it too. */
function tagsIn(list: string): string[] {
  const tags: string[] = []
  let rest = list.replace(/^[ \t,]+/, '')
  while (rest !== '') {
    const tag = rest.startsWith('*') ? '*' : tagAt(rest)
    if (tag === undefined) break
    tags.push(tag)
    if (tag === '*') break
    rest = rest.slice(tag.length).replace(/^[ \t,]+/, '')
  }
  return tags
}

/** The entity tag that a text begins with (RFC 9110 §8.8.3). */
function tagAt(text: string): string | undefined {
  return /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/.exec(text)?.[0]
}

/**
 * When the file changed, in milliseconds, without what HTTP dates cannot express. A file of the first instant of 1970 has
 * no date: that is how archives and images are made reproducible.
 */
function secondsOf({ mtimeMs }: FileState): number | undefined {
  return mtimeMs === undefined || mtimeMs === 0 ? undefined : Math.floor(mtimeMs / 1000) * 1000
}
