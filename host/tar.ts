// The tar format (POSIX.1-1988 "ustar"), as far as an archive of a few files needs it: what precedes a file's bytes,
// between two files, and at the end; and the same read again. Pure.

import { PilotlightError } from '#model/error.ts'

/** A file, or a directory when the path ends in `/`. */
export type TarEntry = {
  /** Relative, with `/` between names. */
  readonly path: string
  readonly mode: number
  /** Bytes of content, 0 for a directory. */
  readonly size?: number
  /** Seconds since 1970, 0 by default. */
  readonly modifiedSeconds?: number
}

/** A path that ustar cannot hold. */
export class UnfitPath extends PilotlightError {
  readonly code = 'UNFIT_PATH'
  constructor(path: string) {
    super(`"${path}" does not fit in a tar archive: at most 155 bytes, a slash, and 100 bytes, without "..".`)
  }
}

/** Bytes that are not an archive as `tarHeader` writes it. */
export class MalformedTar extends PilotlightError {
  readonly code = 'MALFORMED_TAR'
}

const BLOCK = 512

/** What ends an archive: two empty blocks. */
export const tarEnd = new Uint8Array(2 * BLOCK)

/**
 * The block before an entry's content. Its owner is root, by number.
 *
 * @throws {UnfitPath} when the path has no place in the format
 */
export function tarHeader({ path, mode, size = 0, modifiedSeconds = 0 }: TarEntry): Uint8Array {
  const header = new Uint8Array(BLOCK)
  const put = (at: number, value: Uint8Array | string) =>
    header.set(typeof value === 'string' ? new TextEncoder().encode(value) : value, at)
  const { name, prefix } = splitPath(path)
  put(0, name)
  put(100, octal(mode & 0o7777, 7))
  put(108, octal(0, 7))
  put(116, octal(0, 7))
  put(124, octal(size, 11))
  put(136, octal(modifiedSeconds, 11))
  put(156, path.endsWith('/') ? '5' : '0')
  put(257, 'ustar\x0000')
  put(345, prefix)
  put(148, ' '.repeat(8)) // the checksum is taken with itself as blanks
  const sum = header.reduce((total, byte) => total + byte, 0)
  put(148, `${octal(sum, 6)}\0 `)
  return header
}

/**
 * Reads the block before an entry's content; undefined for an empty block, which ends the archive.
 *
 * @throws {MalformedTar} when it is not a header, or its checksum is wrong
 */
export function readTarHeader(block: Uint8Array): Required<TarEntry> | undefined {
  if (block.length !== BLOCK) throw new MalformedTar('The archive ends within a header.')
  if (block.every(byte => byte === 0)) return undefined
  const text = (at: number, length: number) => {
    const field = block.subarray(at, at + length)
    const end = field.indexOf(0)
    return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end))
  }
  const number = (at: number, length: number) => {
    const digits = text(at, length).trim()
    if (!/^[0-7]+$/.test(digits))
      throw new MalformedTar('The archive has an invalid header: it is damaged, or not a tar archive.')
    return Number.parseInt(digits, 8)
  }
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0)
  if (text(257, 5) !== 'ustar' || number(148, 8) !== sum) {
    throw new MalformedTar('The archive has an invalid header: it is damaged, or not a tar archive.')
  }
  const prefix = text(345, 155)
  return {
    path: prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`,
    mode: number(100, 8),
    size: number(124, 12),
    modifiedSeconds: number(136, 12),
  }
}

/** The zeros that fill the last block of a content of `size` bytes. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK)
}

/** Cuts a path at a slash so that both halves fit their fields. */
function splitPath(path: string): { name: Uint8Array; prefix: Uint8Array } {
  if (path === '' || path.includes('\0') || path.split('/').includes('..')) throw new UnfitPath(path)
  const encoder = new TextEncoder()
  const whole = encoder.encode(path)
  if (whole.length <= 100) return { name: whole, prefix: new Uint8Array() }
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
    const prefix = encoder.encode(path.slice(0, slash))
    const name = encoder.encode(path.slice(slash + 1))
    if (prefix.length <= 155 && name.length <= 100 && name.length > 0) return { name, prefix }
  }
  throw new UnfitPath(path)
}

/** The zeros after it are there: a header begins as nothing else. */
function octal(value: number, digits: number): string {
  return Math.trunc(value).toString(8).padStart(digits, '0')
}
