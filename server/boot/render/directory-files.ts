// A directory on disk, for code that reads templates without a server: the linter, and tests.

import { readFileSync, statSync, type Stats } from 'node:fs'
import { join, posix } from 'node:path'
import { textOf } from '#model/text.ts'
import type { TemplateFiles } from '../../inventory/template-files.ts'

/** The files below `root`; no name leads out of it. */
export function directoryFiles(root: string): TemplateFiles {
  const pathOf = (name: string) => join(root, posix.join('/', name))
  const stampOf = (name: string) => {
    if (posix.normalize(name) !== name) return undefined // it leads out of its folder
    const file = statOf(pathOf(name))
    return file?.isFile() === true ? `${file.mtimeMs} ${file.size} ${file.ino}` : undefined
  }
  const bytesOf = (name: string) => {
    try {
      return stampOf(name) === undefined ? undefined : readFileSync(pathOf(name))
    } catch {
      return undefined // it may not be read, or was removed just now
    }
  }
  return {
    stampOf,
    bytesOf,
    textOf: name => {
      const bytes = bytesOf(name)
      return bytes && textOf(bytes)
    },
  }
}

/**
 * What is at a path; undefined where nothing is, or nothing that can be reached: a link to itself, a name that no file
 * can have, a folder that may not be entered.
 */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}
