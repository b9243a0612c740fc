// Files beside a config: what `local`, `contents_local` and `trees` name, from the data directory and never outside it.

import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { join, posix, relative, sep } from 'node:path'
import { messageOf } from '#progress/wait.ts'

/** One thing of a tree: `path` is below the tree's root. */
export type TreeEntry =
  | { readonly kind: 'directory'; readonly path: string }
  | {
      readonly kind: 'file'
      readonly path: string
      readonly content: Uint8Array
      readonly isExecutable: boolean
    }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

/** What the transpiler needs of the files beside a config. Each call gives the reason as a text when it cannot. */
export type LocalFiles = {
  read(path: string): Uint8Array | string
  tree(path: string): readonly TreeEntry[] | string
}

/**
 * The files below `root`. Links are followed as long as they stay below it. What is in `secret` (the server's own
 * state, when that is kept below `root`) is never read.
 */
export function localFilesBelow(root: string, secret?: string): LocalFiles {
  const inside = (path: string): string => {
    const full = join(root, path)
    const real = isBelow(root, full) ? realpathSync(full) : full
    if (!isBelow(realpathSync(root), real)) throw new Error(`${path} leads out of the data directory`)
    if (secret !== undefined && existsSync(secret) && isBelow(realpathSync(secret), real)) {
      throw new Error(`${path} is in the server's own state`)
    }
    return real
  }
  return {
    read: path => orReason(path, () => readFileSync(inside(path))),
    tree: path =>
      orReason(path, () => {
        const full = inside(path)
        if (!statSync(full).isDirectory()) throw new Error(`${path} is not a directory`)
        if (secret !== undefined && existsSync(secret) && isBelow(full, realpathSync(secret))) {
          throw new Error(`${path} holds the server's own state`)
        }
        return entriesOf(full, '')
      }),
  }
}

function isBelow(root: string, path: string): boolean {
  const way = relative(root, path)
  return way !== '..' && !way.startsWith(`..${sep}`)
}

function entriesOf(folder: string, path: string): TreeEntry[] {
  const names = readdirSync(folder).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return [
    { kind: 'directory', path },
    ...names.flatMap((name): TreeEntry[] => {
      const full = join(folder, name)
      const below = posix.join(path, name)
      const stat = lstatSync(full)
      if (stat.isDirectory()) return entriesOf(full, below)
      if (stat.isSymbolicLink()) return [{ kind: 'link', path: below, target: readlinkSync(full) }]
      if (!stat.isFile()) throw new Error(`${below} is neither file, directory nor link`)
      const isExecutable = (stat.mode & 0o111) !== 0
      return [{ kind: 'file', path: below, content: readFileSync(full), isExecutable }]
    }),
  ]
}

function orReason<T>(path: string, read: () => T): T | string {
  try {
    return read()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EISDIR') return `${posix.join('/', path)} is a directory of the data directory`
    return code === 'ENOENT'
      ? `there is no ${posix.join('/', path).slice(1)} in the data directory`
      : messageOf(error)
  }
}
