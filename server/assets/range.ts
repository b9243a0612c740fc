// Conditional and partial requests for a file (RFC 9110 §13 and §14), as pure functions of header and file.

/** Part of a file: the first byte and how many. */
export type Range = { readonly start: number; readonly length: number }

/** What headers are compared with. */
export type FileState = { readonly size: number; readonly etag: string; readonly mtimeMs: number }

/**
 * Reads a `Range` header with one range. Undefined, which means the whole file, for no header, other units, several
 * ranges or bad syntax: a server may ignore what it does not do (RFC 9110 §14.2).
 */
export function rangeOf(header: string | undefined, size: number): Range | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.replaceAll(' ', '') ?? '')
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, length }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < start) return undefined
  return start >= size ? 'unsatisfiable' : { start, length: end - start + 1 }
}

/** Says whether the client has the file already: `If-None-Match`, else `If-Modified-Since`. */
export function isUnchanged(headers: Headers, file: FileState): boolean {
  const { 'if-none-match': tags, 'if-modified-since': since } = headers
  if (tags !== undefined) return tags.trim() === '*' || listed(tags, file.etag)
  return since !== undefined && Math.floor(file.mtimeMs / 1000) * 1000 <= Date.parse(since)
}

/** Says whether a range still means the file that the client began with (`If-Range`). */
export function mayRange({ 'if-range': condition }: Headers, file: FileState): boolean {
  if (condition === undefined) return true
  if (condition.startsWith('"')) return condition === file.etag
  return Math.floor(file.mtimeMs / 1000) * 1000 === Date.parse(condition)
}

type Headers = Readonly<Record<string, string | undefined>>

function listed(tags: string, etag: string): boolean {
  return tags.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag)
}
