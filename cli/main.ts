// The first file of every command: it lets Node keep what it compiles, and loads the rest.

import { mkdirSync, statSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

keepCompiledCode()
await import('./program.ts')

/**
 * Has Node keep the code of our files, without its types and compiled, below the user's cache directory: a command then
 * starts in half the time. A directory of another user is not trusted, as under `sudo` that keeps HOME.
 */
function keepCompiledCode(): void {
  try {
    const directory = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'pilotlight', 'compiled')
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    if (statSync(directory).uid === process.geteuid?.()) enableCompileCache(directory)
  } catch {
    // Without a home, or one that cannot be written to, each command compiles for itself.
  }
}
