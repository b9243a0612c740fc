// A file that is replaced as a whole: a reader, a crash or a full disk sees the old text or the new one, never a part.

import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Replaces the file at `path`, made with `mode`; text and name are on disk when it returns. When it throws, the file is
 * as it was.
 *
 * @throws what node:fs throws: ENOSPC, EDQUOT, EROFS, EIO, EACCES …
 */
export function replaceFile(path: string, content: string | Uint8Array, mode = 0o600): void {
  const next = `${path}.new`
  try {
    const file = openSync(next, 'w', mode)
    try {
      fchmodSync(file, mode)
      writeFileSync(file, content)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(next, path)
  } catch (error) {
    try {
      rmSync(next, { force: true })
    } catch {
      // What is in the way says so in `error`.
    }
    throw error
  }
  syncDirectory(dirname(path))
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
