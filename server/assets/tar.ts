// Writes a tar archive (POSIX.1-1988 "ustar") of small files: how a machine gets its bundle in one answer.

import type { BundleFile } from '../inventory/objects.ts'

const BLOCK = 512

/** A path that ustar cannot hold. */
export class UnfitPath extends Error {
  readonly code = 'UNFIT_PATH'
  constructor(path: string) {
    super(`"${path}" does not fit in a tar archive: at most 155 bytes, a slash, and 100 bytes, without "..".`)
  }
}

/**
 * An archive of `files`, in their order, owned by root. A leading slash is left out, so that it unpacks below any folder.
 *
 * @param mtime seconds since 1970, the same for all files
 * @throws {UnfitPath} when a path has no place in the format
 */
export function tarOf(files: readonly BundleFile[], mtime: number): Uint8Array {
  const encoder = new TextEncoder()
  const parts = files.map(file => ({ file, content: encoder.encode(file.content) }))
  const size = parts.reduce((sum, { content }) => sum + BLOCK + padded(content.length), 2 * BLOCK)
  const archive = new Uint8Array(size)
  let at = 0
  for (const { file, content } of parts) {
    archive.set(headerOf(file, content.length, mtime), at)
    archive.set(content, at + BLOCK)
    at += BLOCK + padded(content.length)
  }
  return archive
}

function headerOf({ path, mode }: BundleFile, size: number, mtime: number): Uint8Array {
  const header = new Uint8Array(BLOCK)
  const { name, prefix } = splitPath(path)
  const put = (at: number, value: Uint8Array | string) =>
    header.set(typeof value === 'string' ? new TextEncoder().encode(value) : value, at)
  put(0, name)
  put(100, octal(mode & 0o7777, 8))
  put(108, octal(0, 8))
  put(116, octal(0, 8))
  put(124, octal(size, 12))
  put(136, octal(mtime, 12))
  put(148, ' '.repeat(8)) // the checksum counts itself as spaces
  put(156, '0')
  put(257, 'ustar\x0000')
  put(265, 'root')
  put(297, 'root')
  put(345, prefix)
  const sum = header.reduce((total, byte) => total + byte, 0)
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `)
  return header
}

/** Cuts a path at a slash so that both halves fit their fields. */
function splitPath(path: string): { name: Uint8Array; prefix: Uint8Array } {
  const relative = path.replace(/^\/+/, '')
  const encoder = new TextEncoder()
  if (relative === '' || relative.includes('\0') || relative.split('/').includes('..'))
    throw new UnfitPath(path)
  const whole = encoder.encode(relative)
  if (whole.length <= 100) return { name: whole, prefix: new Uint8Array() }
  for (let slash = relative.indexOf('/'); slash >= 0; slash = relative.indexOf('/', slash + 1)) {
    const prefix = encoder.encode(relative.slice(0, slash))
    const name = encoder.encode(relative.slice(slash + 1))
    if (prefix.length <= 155 && name.length <= 100 && name.length > 0) return { name, prefix }
  }
  throw new UnfitPath(path)
}

function octal(value: number, width: number): string {
  return `${Math.trunc(value)
    .toString(8)
    .padStart(width - 1, '0')}\0`
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK
}
