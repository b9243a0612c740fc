// The data files of the images as recipes see them: their text is part of what an artefact is keyed by.

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** Every file below `directory` by its relative path, with its text. */
export function textsBelow(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(entry =>
    entry.isFile(),
  )
  const paths = files.map(entry => join(entry.parentPath, entry.name)).toSorted()
  return Object.fromEntries(paths.map(path => [relative(directory, path), readFileSync(path, 'utf8')]))
}

/** A data file's path, from its path in `images/`. */
export function dataFile(path: string): string {
  return join(import.meta.dirname, path)
}

/** The text of scripts, by their names in `images/scripts/`. */
export function scriptTexts(...names: readonly string[]): string[] {
  return names.map(name => readFileSync(dataFile(`scripts/${name}`), 'utf8'))
}
