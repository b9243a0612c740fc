// One `lab up` of a name at a time. The lock names its holder, so a killed run locks nobody out.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { LabError } from './errors.ts'
import { isAlive, markProcess } from './process.ts'
import type { ProcessMark } from './process.ts'

/**
 * Takes the lock file for this process, and gives what lets go of it. A lock whose holder is gone is taken over.
 *
 * @throws {LabError} LOCKED while the process that holds it lives
 */
export function takeLock(path: string, lab: string): () => void {
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
    if ((holder && isAlive(holder)) || attempt > 5)
      throw new LabError(
        'LOCKED',
        `The lab ${lab} is in the hands of another \`lab up\`, process ${holder?.pid ?? 'unknown'} (${path}). ` +
          `Wait until it has ended, or run a lab of another name beside it.`,
      )
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
