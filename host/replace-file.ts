// A file that is replaced as a whole: a reader, a crash or a full disk sees the old text or the new one, never a part.

import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** How a file is replaced. */
export type Replacement = {
  /** The rights of the new file, 0600 unless given; `umask`: those that any new file gets. */
  readonly mode?: number | 'umask'
  /**
   * Whether text and name are on disk before the call returns; they are unless this is false. Each time costs a few
   * milliseconds: too many for thousands of files that can be written again.
   */
  readonly flush?: boolean
}

/**
 * Replaces the file at `path`, or makes it. When it throws, the file is as it was.
 *
 * @throws what node:fs throws: ENOSPC, EDQUOT, EROFS, EIO, EACCES …
 */
export function replaceFile(
  path: string,
  content: string | Uint8Array,
  { mode = 0o600, flush = true }: Replacement = {},
): void {
  const next = `${path}.new`
  try {
    const file = openSync(next, 'w', mode === 'umask' ? 0o666 : mode)
    try {
      if (mode !== 'umask') fchmodSync(file, mode) // also what the umask would take away
      writeFileSync(file, content)
      if (flush) fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(next, path)
  } catch (error) {
    try {
      rmSync(next, { force: true })
    } catch {
      // Whatever prevents it is in `error`.
    }
    throw error
  }
  if (flush) syncDirectory(dirname(path))
}

/** Puts the names in a directory on disk: without it a power failure may bring back the file that was replaced. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
