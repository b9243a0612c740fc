// Conditional and partial requests (RFC 9110 §13 and §14) with the answers of Go's file server, as pure functions of
// request and file.

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

/** Decides how a request for a file is answered. */
export function planOf(method: string, headers: ConditionalHeaders, file: FileState): Plan {
  if (hasChanged(headers, file)) return { status: 412 }
  const unchanged: Plan = method === 'GET' || method === 'HEAD' ? { status: 304 } : { status: 412 }
  if (headers['if-none-match'] !== undefined) {
    if (isListed(headers['if-none-match'], file)) return unchanged
  } else if (unchanged.status === 304 && isUnchanged(headers, file)) return unchanged
  const parts = mayRange(headers, file) ? rangesOf(headers['range'], file.size) : []
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
 * empty file has no parts, and clients that always ask for some get it whole.
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
    if (text.trim() === '') continue
    const [, first = '', last = ''] = /^\s*(\d*)\s*-\s*(\d*)\s*$/.exec(text) ?? []
    const start = first === '' ? Math.max(size - Number(last), 0) : Number(first)
    const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
    if ((first === '' && last === '') || (first !== '' && last !== '' && Number(last) < start))
      return 'invalid range'
    if (start >= size) beyond = true
    else ranges.push({ start, length: end - start + 1 })
  }
  return beyond && ranges.length === 0 && size > 0 ? 'invalid range: failed to overlap' : ranges
}

/** `If-Match`, else `If-Unmodified-Since`: says whether the client means another state of the file. */
function hasChanged(
  { 'if-match': tags, 'if-unmodified-since': since }: ConditionalHeaders,
  file: FileState,
): boolean {
  if (tags !== undefined) return tags.trim() !== '*' && !tags.split(',').some(tag => tag.trim() === file.etag)
  const seconds = secondsOf(file)
  return since !== undefined && seconds !== undefined && seconds > dateOf(since)
}

function isUnchanged({ 'if-modified-since': since }: ConditionalHeaders, file: FileState): boolean {
  const seconds = secondsOf(file)
  return since !== undefined && seconds !== undefined && seconds <= dateOf(since)
}

/** Says whether a range still means the file that the client began with (`If-Range`). */
function mayRange({ 'if-range': condition }: ConditionalHeaders, file: FileState): boolean {
  if (condition === undefined) return true
  if (condition.startsWith('"')) return condition === file.etag
  return secondsOf(file) === dateOf(condition)
}

function isListed(tags: string, { etag }: FileState): boolean {
  return tags.split(',').some(tag => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}

/** When the file changed, in milliseconds, without what HTTP dates cannot express. */
function secondsOf({ mtimeMs }: FileState): number | undefined {
  return mtimeMs === undefined ? undefined : Math.floor(mtimeMs / 1000) * 1000
}

/** A date as HTTP writes it, in milliseconds; NaN for anything else. */
function dateOf(text: string): number {
  return /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(text)
    ? Date.parse(text)
    : Number.NaN
}
