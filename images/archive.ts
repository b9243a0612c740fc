// The tar format (POSIX ustar), as far as an image layer of a few files needs it. Pure: headers as bytes.

/** A file, or a directory when the path ends in `/`. */
export type ArchiveEntry = {
  /** Relative, with `/` between names. */
  readonly path: string
  readonly mode: number
  /** Bytes of content, 0 for a directory. */
  readonly size?: number
}

/** A path which does not fit into a ustar header: 255 bytes, with a `/` at a fit place. */
export class ArchivePathTooLong extends Error {
  readonly code = 'ARCHIVE_PATH_TOO_LONG'
  constructor(path: string) {
    super(`"${path}" does not fit into a tar header. Use a path of at most 100 bytes in the image.`)
  }
}

/** What ends an archive: two empty blocks. */
export const archiveEnd = new Uint8Array(1024)

/**
 * The 512 bytes before an entry's content: owner and group 0, time 0.
 *
 * @throws {ArchivePathTooLong}
 */
export function archiveHeader({ path, mode, size = 0 }: ArchiveEntry): Uint8Array {
  const header = new Uint8Array(512)
  const put = (text: string, at: number) => header.set(new TextEncoder().encode(text), at)
  const number = (value: number, at: number, digits: number) =>
    put(value.toString(8).padStart(digits, '0'), at)
  const { prefix, name } = splitPath(path)
  put(name, 0)
  number(mode, 100, 7)
  number(0, 108, 7)
  number(0, 116, 7)
  number(size, 124, 11)
  number(0, 136, 11)
  put(path.endsWith('/') ? '5' : '0', 156)
  put('ustar\x0000', 257)
  put(prefix, 345)
  put(' '.repeat(8), 148) // the checksum is taken with itself as blanks
  const sum = header.reduce((total, byte) => total + byte, 0)
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** The zeros that fill the last block of a content of `size` bytes. */
export function archivePadding(size: number): Uint8Array {
  return new Uint8Array((512 - (size % 512)) % 512)
}

/** `entries` with every directory that a path runs through in front of its first use, each once. */
export function withParents<T extends ArchiveEntry>(entries: readonly T[]): (T | ArchiveEntry)[] {
  const seen = new Set<string>()
  return entries.flatMap(entry => {
    const parts = entry.path.split('/').slice(0, entry.path.endsWith('/') ? -2 : -1)
    const parents = parts.map((_, index): ArchiveEntry => ({
      path: `${parts.slice(0, index + 1).join('/')}/`,
      mode: 0o755,
    }))
    return [...parents, entry].filter(({ path }) => !seen.has(path) && seen.add(path))
  })
}

function splitPath(path: string): { prefix: string; name: string } {
  if (bytes(path) <= 100) return { prefix: '', name: path }
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const prefix = path.slice(0, at)
    const name = path.slice(at + 1)
    if (bytes(prefix) <= 155 && name !== '' && bytes(name) <= 100) return { prefix, name }
  }
  throw new ArchivePathTooLong(path)
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length
}
