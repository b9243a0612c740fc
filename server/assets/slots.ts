// The slots among the assets: slot.json names the files that belong together, and a disk is only written when they agree with
// it.

import { createHash } from 'node:crypto'
import { join, posix } from 'node:path'
import { MOST_SLOT_BYTES, slotIn, type Slot, type SlotFile } from '#model/slot.ts'
import { SlotUnfit } from './errors.ts'
import { openBelow } from './files.ts'
import { KnownDigests } from './known-digests.ts'

/** A slot that may be written: what the machine is to compare, and the digest of that text. */
export type ReadSlot = {
  /** slot.json as it is, with all its fields. */
  readonly slot: Slot
  /** Of the bytes of slot.json, in hex. */
  readonly sha256: string
  /** The first twelve digits of its root hash. */
  readonly version: string
}

/** The slots among the assets. What is read of large files is remembered: one instance of it is enough for a server. */
export class Slots {
  readonly #root: string | undefined
  /** As long as a file keeps its place, size and times, it is not read again. */
  readonly #digests = new KnownDigests()

  /** @param root the directory of the assets; undefined where there is none */
  constructor(root: string | undefined) {
    this.#root = root
  }

  /**
   * The slot in a folder of the assets, for example `live`, compared with its files. Undefined when the folder has none: its
   * image was built for memory alone.
   *
   * @throws {SlotUnfit} 503, when slot.json cannot be used, or a file is not what it says
   */
  async read(folder: string): Promise<ReadSlot | undefined> {
    const read = await this.#read(folder)
    if (read === undefined) return undefined
    const wrong = await this.differences(folder, read.slot.files)
    if (wrong.length > 0) throw new SlotUnfit(pathIn(folder), `does not match its files: ${wrong.join('; ')}`)
    return read
  }

  /**
   * What the slot.json of a folder says; undefined when there is none. Its files are not looked at.
   *
   * @throws {SlotUnfit} 503, when it cannot be used
   */
  async description(folder: string): Promise<Slot | undefined> {
    return (await this.#read(folder))?.slot
  }

  /** How the files of a folder differ from what is said of them, for example `vmlinuz is missing`; empty when they do not. */
  async differences(
    folder: string,
    files: Readonly<Record<string, Pick<SlotFile, 'sha256'> & Partial<SlotFile>>>,
  ): Promise<string[]> {
    const root = this.#root
    if (root === undefined) return []
    return this.#compared(root, folder, files, async (path, etag, sha256) => {
      return (await this.#digests.of(join(root, path), etag)) === sha256
    })
  }

  /** The same by their sizes alone, at once: of two builds they differ, as after a copy that was cut off. */
  async misfits(folder: string, files: Slot['files']): Promise<string[]> {
    const root = this.#root
    return root === undefined ? [] : this.#compared(root, folder, files, async () => true)
  }

  async #compared(
    root: string,
    folder: string,
    files: Readonly<Record<string, Pick<SlotFile, 'sha256'> & Partial<SlotFile>>>,
    hasDigest: (path: string, etag: string, sha256: string) => Promise<boolean>,
  ): Promise<string[]> {
    const found: string[] = []
    for (const [name, { sha256, bytes }] of Object.entries(files)) {
      const path = posix.join(folder, name)
      const file = await openBelow(root, path)
      await file?.handle.close()
      if (file === undefined) found.push(`${name} is missing`)
      else if (bytes !== undefined && file.size !== bytes)
        found.push(`${name} has ${file.size} bytes in place of ${bytes}`)
      else if (!(await hasDigest(path, file.etag, sha256))) found.push(`${name} has another digest`)
    }
    return found
  }

  async #read(folder: string): Promise<ReadSlot | undefined> {
    const root = this.#root
    if (root === undefined) return undefined
    const path = pathIn(folder)
    const bytes = await readSmall(root, path)
    if (bytes === undefined) return undefined
    const slot = slotIn(bytes.toString('utf8'), what => new SlotUnfit(path, what))
    return { slot, version: slot.version, sha256: createHash('sha256').update(bytes).digest('hex') }
  }
}

function pathIn(folder: string): string {
  return posix.join(folder, 'slot.json')
}

async function readSmall(root: string, path: string): Promise<Buffer | undefined> {
  const file = await openBelow(root, path)
  if (file === undefined) return undefined
  try {
    if (file.size > MOST_SLOT_BYTES)
      throw new SlotUnfit(path, `has ${file.size} bytes, more than ${MOST_SLOT_BYTES}`)
    const { bytesRead, buffer } = await file.handle.read(Buffer.alloc(MOST_SLOT_BYTES), 0, MOST_SLOT_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.handle.close()
  }
}
