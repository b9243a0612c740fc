// What a write that failed says of its disk: full, read-only, or broken; and what a read says of a damaged file.

import { BrokenState, CannotWrite } from '../errors.ts'

/** The way back from a damaged store. */
export const RESTORE =
  "Stop the server, move the file and its -wal and -shm away, and bring back a backup with 'pilotlight restore FILE'."

/**
 * The error to give for one of node:fs or SQLite that means that the disk took no write, or that `path` is damaged;
 * undefined for any other. Our own errors, and errors with such a cause, are found too.
 */
export function diskErrorOf(error: unknown, path: string): CannotWrite | BrokenState | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof CannotWrite || at instanceof BrokenState) return at
    const code = 'code' in at ? String(at.code) : ''
    if (/^(?:ENOSPC|EDQUOT|SQLITE_FULL)$/.test(code)) return new CannotWrite(path, 'full', { cause: error })
    if (/^(?:EROFS|SQLITE_READONLY.*)$/.test(code))
      return new CannotWrite(path, 'read-only', { cause: error })
    if (/^(?:EIO|SQLITE_IOERR.*)$/.test(code)) return new CannotWrite(path, 'failing', { cause: error })
    if (/^SQLITE_(?:CORRUPT.*|NOTADB)$/.test(code)) {
      return new BrokenState(path, `is damaged (${at.message})`, RESTORE, { cause: error })
    }
  }
  return undefined
}
