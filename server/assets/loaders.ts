// The boot loaders that firmware fetches, by TFTP or by HTTP: few and small, so read into memory once.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '#progress/wait.ts'

/** Loaders by file name. */
export type Loaders = ReadonlyMap<string, { readonly bytes: Uint8Array }>

const LOADER = /\.(efi|kpxe|kkpxe|pxe|lkrn|0)$/

/**
 * Reads the loaders of a folder. Links are followed wherever they lead, since packages keep some of them in `/boot`;
 * clients can only name what is in the table. `onProblem` is called for the folder or a file that cannot be read.
 */
export async function readLoaders(folder: string, onProblem: (reason: string) => void): Promise<Loaders> {
  const loaders = new Map<string, { bytes: Uint8Array }>()
  const report = (error: unknown) => onProblem(messageOf(error))
  const names = await readdir(folder).catch(error => (report(error), []))
  for (const name of names.filter(name => LOADER.test(name))) {
    await readFile(join(folder, name)).then(bytes => loaders.set(name, { bytes }), report)
  }
  return loaders
}
