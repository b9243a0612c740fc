// The first file of every command: it lets Node keep what it compiles, and loads the rest. It is JavaScript because nothing
// is kept for the first file: Node would load its TypeScript compiler at each start, 25 ms and 10 MB, to read this one.

import { lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

keepCompiledCode()
await import('./program.ts')

/**
 * Has Node keep the code of our files, without its types and compiled, below the user's cache directory: a command then
 * starts in half the time. Not under `sudo`, which may keep the HOME of another user: anyone who can change that directory would
 * decide what root runs.
 */
function keepCompiledCode() {
  try {
    const directory = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pilotlight', 'compiled')
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const isBorrowed = process.geteuid?.() === 0 && process.env.SUDO_UID !== undefined
    if (!isBorrowed && [directory, dirname(directory)].every(isOwn)) enableCompileCache(directory)
  } catch {
    // Without a home, or one that cannot be written to, each command compiles for itself.
  }
}

/**
 * Says whether a path is a directory, not a link to one, that no one else can write to.
 *
 * @param {string} path
 */
function isOwn(path) {
  const found = lstatSync(path)
  return found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & 0o022) === 0
}
