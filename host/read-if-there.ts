// Files that may be missing: undefined when there is none at the path, and an error for anything else, so that a file
// that cannot be read is never taken for one that is not there.

import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** The bytes of a file. @throws what node:fs throws, but not ENOENT */
export function bytesIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(unlessMissing)
}

/** The text of a file. @throws what node:fs throws, but not ENOENT */
export function textIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(unlessMissing)
}

/** The same at once, for what is read while nothing else can go on. @throws what node:fs throws, but not ENOENT */
export function textIfThereSync(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    return unlessMissing(error)
  }
}

function unlessMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined // node:fs throws no other kind
  throw error
}
