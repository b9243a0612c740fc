// Why a test that needs a program of the host is skipped, so that the run names it.

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** `there is no zsh here`, for `skip` of a test; false where the programs are all there. */
export function absent(...programs: readonly string[]): string | false {
  const missing = programs.find(program => !isOnPath(program))
  return missing !== undefined && `there is no ${missing} here`
}

/** Says whether a program can be run by its name, or at its path. */
export function isOnPath(program: string): boolean {
  const folders = program.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter)
  return folders.some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
