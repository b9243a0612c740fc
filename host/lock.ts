// One process at a time. A lock file names its holder, so a killed process locks no one out.

import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { isAlive, markProcess } from './process.ts'
import type { ProcessMark } from './process.ts'

/** Releases a lock. */
export type Unlock = () => void

/**
 * Takes the lock file at `path` for this process, and returns a function that releases it.
 *
 * @throws what `refuse` makes of the holder's pid (undefined when it could not be read), while the holder lives
 */
export function takeLock(path: string, refuse: (holder: number | undefined) => Error): Unlock {
  for (let attempt = 1; ; attempt += 1) {
    const taken = tryLock(path)
    if (typeof taken === 'function') return taken
    if (taken.holder !== undefined || attempt === 5) throw refuse(taken.holder?.pid)
  }
}

/**
 * Takes the lock file at `path` unless a living process has it. Then that process's mark is given (undefined when it
 * has just released the lock: worth another try). A lock whose holder is gone is taken over.
 */
export function tryLock(path: string): Unlock | { readonly holder: ProcessMark | undefined } {
  mkdirSync(dirname(path), { recursive: true })
  const me = markProcess(process.pid)
  const mine = `${path}.${me?.pid}-${me?.startTicks}-${counter++}`
  try {
    writeFileSync(mine, JSON.stringify(me))
    // link(2) makes the file whole or not at all, and only where there is none.
    if (isLinked(mine, path)) return () => rmSync(path, { force: true })
    const holder = readHolder(path)
    if (holder === undefined || isAlive(holder)) return { holder }
    return takeOver(path, holder, mine)
  } finally {
    rmSync(mine, { force: true })
  }
}

/**
 * Puts our lock in the place of a dead holder's. Of several who want to, one holds the lock of that very holder's
 * succession; who comes to it later finds the place taken.
 */
function takeOver(
  path: string,
  dead: ProcessMark,
  mine: string,
): Unlock | { holder: ProcessMark | undefined } {
  const succession = tryLock(`${path}.after-${dead.pid}-${dead.startTicks}`)
  if (typeof succession !== 'function') return succession
  try {
    const holder = readHolder(path)
    if (holder?.pid !== dead.pid || holder.startTicks !== dead.startTicks) return { holder }
    renameSync(mine, path)
    return () => rmSync(path, { force: true })
  } finally {
    succession()
  }
}

let counter = 0

function isLinked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false // fs throws nothing else
    throw error
  }
}

/** The process that took the lock file at `path` last, alive or not; undefined where there is none, or it cannot be read. */
export function readHolder(path: string): ProcessMark | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessMark // made whole by link(2)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    return { pid: 0, startTicks: 0 } // not written by this module: no one holds it
  }
}
