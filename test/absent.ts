// Why a test that needs a program of the host is skipped, so that the run names it. Debian's required packages (among them bash,
// tar, coreutils, util-linux, sed, grep, find, passwd), git, openssl (of ca-certificates), Node, npm and Go are taken to be there: a
// clone is not made and set up without them. Everything else may be missing.

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Test } from 'tap'

/** `there is no zsh here`, for `skip` of a test; false where the programs are all there. */
export function absent(...programs: readonly string[]): string | false {
  const missing = programs.find(program => !isOnPath(program))
  return missing !== undefined && `there is no ${missing} here`
}

/** Skips the whole file, by this reason; none skips nothing. Called before the first test. */
export function skipFile(t: Test, why: string | false): void {
  if (why === false) return
  t.plan(0, why)
  process.exit()
}

/** Why this process may not make such namespaces; false where it may. `flags` are those of `unshare`. */
export function whyNoNamespaces(...flags: readonly string[]): string | false {
  const made = spawnSync('unshare', [...flags, '--', 'true'], { stdio: 'ignore', timeout: 10_000 })
  return made.status === 0 ? false : 'needs root on Linux, for namespaces'
}

/** Says whether a program can be run by its name, or a file is at its path. */
export function isOnPath(program: string): boolean {
  const folders = program.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter)
  return folders.some(folder => {
    try {
      accessSync(join(folder, program), folder === '' ? constants.F_OK : constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
