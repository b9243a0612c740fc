// One server at a time in a state directory: two would each have their own inventory and leases in memory.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { takeLock, type Unlock } from '#host/lock.ts'
import { makeDirectory } from '#host/make-directory.ts'
import { sleep } from '#progress/wait.ts'
import { BrokenState } from '../errors.ts'
import { StateInUse } from './errors.ts'
import { diskErrorOf } from '../process/write-failure.ts'

/** How long a server that is just ending may take. */
const PATIENCE_MS = 5000
const LOOK_MS = 100

/**
 * Makes the directory where it is missing, and takes it for this process; returns a function that releases it.
 *
 * @throws {CannotMakeDirectory}; {BrokenState} when a restore into it was not finished
 * @throws {StateInUse} when another server has it, and keeps it for five seconds
 * @throws {CannotWrite} when its disk is full or read-only; {BrokenState} when nothing else can be written there
 */
export async function lockState(statePath: string, signal: AbortSignal): Promise<Unlock> {
  makeDirectory(statePath, { mode: 0o700 })
  if (isUnfinished(statePath)) {
    throw new BrokenState(
      statePath,
      'holds a restore that was not finished',
      "Run the same 'pilotlight restore' again.",
    )
  }
  for (const end = performance.now() + PATIENCE_MS; ;) {
    try {
      return takeLock(join(statePath, 'lock'), holder => new StateInUse(statePath, holder))
    } catch (cause) {
      if (!(cause instanceof StateInUse)) {
        const full = diskErrorOf(cause, statePath)
        if (full !== undefined) throw full
        const remedy = 'Let the server own it, or name another state-path.'
        throw new BrokenState(statePath, `cannot be written: ${(cause as Error).message}`, remedy, { cause }) // of node:fs
      }
      if (performance.now() > end) throw cause
    }
    await sleep(LOOK_MS, signal)
  }
}

/** The file in a state directory that a restore has not finished; no server starts there. */
export const UNFINISHED = 'restore-unfinished'

/** Says whether a restore into the directory was begun and not finished. */
export function isUnfinished(statePath: string): boolean {
  return existsSync(join(statePath, UNFINISHED))
}
