// A directory on disk, for code that reads templates without a server: the linter, and tests.

import { readFileSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { textOf } from '#model/text.ts'
import type { TemplateFiles } from '../../inventory/template-files.ts'

/** The files below `root`; no name leads out of it. */
export function directoryFiles(root: string): TemplateFiles {
  const pathOf = (name: string) => join(root, posix.join('/', name))
  const stampOf = (name: string) => {
    if (posix.normalize(name) !== name) return undefined // it leads out of its folder
    const file = statSync(pathOf(name), { throwIfNoEntry: false })
    return file?.isFile() === true ? `${file.mtimeMs} ${file.size} ${file.ino}` : undefined
  }
  const bytesOf = (name: string) => (stampOf(name) === undefined ? undefined : readFileSync(pathOf(name)))
  return {
    stampOf,
    bytesOf,
    textOf: name => {
      const bytes = bytesOf(name)
      return bytes && textOf(bytes)
    },
  }
}
