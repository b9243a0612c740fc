// Makes directories one level after the other: Node's own recursive mkdir tries forever where a level can neither be made
// nor found, as below /proc.

import { mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { PilotlightError } from '#model/error.ts'
import { pathWord } from './shell.ts'

/** A directory that cannot be made; the message says which level of it, and why. */
export class CannotMakeDirectory extends PilotlightError {
  readonly code = 'CANNOT_MAKE_DIRECTORY'
  constructor(path: string, level: string, cause: NodeJS.ErrnoException) {
    super(`directory ${path} cannot be made: ${reasonOf(level, cause)}`, {
      cause,
      remedy: `name another directory, or look at this one:  ls -ld ${pathWord(shownFor(level, cause))}`,
    })
  }
}

/**
 * Makes a directory with all that is missing above it. What is there already stays as it is.
 *
 * @param mode of each level that is made
 * @throws {CannotMakeDirectory}
 */
export function makeDirectory(path: string, { mode = 0o777 }: { readonly mode?: number } = {}): void {
  const wanted = resolve(path)
  for (const level of missingLevels(wanted)) {
    try {
      mkdirSync(level, { mode })
    } catch (error) {
      // Another process may have made it meanwhile.
      if (!isDirectory(level)) throw new CannotMakeDirectory(wanted, level, error as NodeJS.ErrnoException) // of node:fs
    }
  }
}

/** From the top down; the root is always there. */
function missingLevels(path: string): string[] {
  return path === dirname(path) || isDirectory(path) ? [] : [...missingLevels(dirname(path)), path]
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  } catch {
    return false // the attempt to make it says why
  }
}

/** What a person looks at to see why `level` cannot be made. */
function shownFor(level: string, { code }: NodeJS.ErrnoException): string {
  return code === 'EEXIST' ? level : dirname(level)
}

function reasonOf(level: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'EEXIST') return `${level} is there, and is not a directory`
  if (code === 'ENOTDIR') return `${dirname(level)} is not a directory`
  if (code === 'EACCES' || code === 'EPERM') return `you may not make ${level}`
  if (code === 'EROFS') return `the file system of ${level} is only read`
  if (code === 'ENOENT') return `nothing can be made in ${dirname(level)}`
  if (code === 'ENOSPC') return `the disk of ${dirname(level)} is full`
  return message
}
