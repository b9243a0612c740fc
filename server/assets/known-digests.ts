// Digests of large files, counted once for each state of a file.

import { sha256OfFile } from '#host/digest.ts'

type Known = { readonly is: string; readonly sha256: Promise<string> }

/** Remembers the last digest of each file. */
export class KnownDigests {
  readonly #known = new Map<string, Known>()

  /**
   * The SHA-256 of the file at `path`, in hexadecimal digits. `is` names the state that the file is in (an ETag; or size, time and
   * inode), so that it is read again only in another one. Rejects as reading does, and then remembers nothing.
   */
  of(path: string, is: string): Promise<string> {
    const known = this.#known.get(path)
    if (known?.is === is) return known.sha256
    const sha256 = sha256OfFile(path)
    this.#known.set(path, { is, sha256 })
    sha256.catch(() => this.#known.delete(path))
    return sha256
  }
}
