// One process at a time. A lock file names its holder, so a killed process locks nobody out.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { isAlive, markProcess } from './process.ts'
import type { ProcessMark } from './process.ts'

/**
 * Takes the lock file at `path` for this process, and gives what lets go of it. A lock whose holder is gone is taken
 * over.
 *
 * @throws what `refuse` makes of the holder's pid (undefined when it could not be read), while the holder lives
 */
export function takeLock(path: string, refuse: (holder: number | undefined) => Error): () => void {
  const mine = JSON.stringify(markProcess(process.pid))
  mkdirSync(dirname(path), { recursive: true })
  for (let attempt = 1; ; attempt += 1) {
    try {
      writeFileSync(path, mine, { flag: 'wx' })
      return () => rmSync(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // fs throws nothing else
    }
    const holder = readHolder(path)
    if ((holder && isAlive(holder)) || attempt > 5) throw refuse(holder?.pid)
    rmSync(path, { force: true })
  }
}

function readHolder(path: string): ProcessMark | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessMark
  } catch {
    return undefined // gone meanwhile, or cut short by its writer's death
  }
}
