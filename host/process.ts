// Processes that outlive the command which started them: a pid alone may be taken by another program later, so a
// process is remembered with its start time.

import { readFileSync } from 'node:fs'
import { waitUntil } from '#progress/wait.ts'

/** A process, so that it is never mistaken for a later one with the same pid. */
export type ProcessMark = {
  readonly pid: number
  /** Clock ticks between the host's start and the process's (field 22 of /proc/PID/stat). */
  readonly startTicks: number
}

/** Marks a running process; undefined when there is none with this pid, or it is a zombie. */
export function markProcess(pid: number): ProcessMark | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before may hold anything
    return fields[0] === 'Z' ? undefined : { pid, startTicks: Number(fields[19]) }
  } catch {
    return undefined
  }
}

/** Says whether the process still runs. */
export function isAlive(mark: ProcessMark): boolean {
  return markProcess(mark.pid)?.startTicks === mark.startTicks
}

/**
 * Ends a process: SIGTERM, `graceSeconds` later SIGKILL. Resolves when it is gone; one that is gone already is fine.
 *
 * @throws {WaitedTooLong} when even SIGKILL does not end it
 */
export async function endProcess(mark: ProcessMark, graceSeconds: number): Promise<void> {
  if (graceSeconds > 0 && signalProcess(mark, 'SIGTERM') && (await hasEnded(mark, graceSeconds))) return
  if (signalProcess(mark, 'SIGKILL')) await ended(mark, 10)
}

/** Waits for a process to end by itself; says whether it did within `limitSeconds`. */
export async function hasEnded(mark: ProcessMark, limitSeconds: number): Promise<boolean> {
  return ended(mark, limitSeconds).catch(() => false)
}

function ended(mark: ProcessMark, limitSeconds: number): Promise<true> {
  return waitUntil(`process ${mark.pid} ends`, { limitSeconds, everyMs: 20 }, () =>
    Promise.resolve(isAlive(mark) ? { not: 'still running' } : { value: true }),
  )
}

/** Sends a signal; false when the process is gone. */
export function signalProcess(mark: ProcessMark, signal: NodeJS.Signals | number): boolean {
  if (!isAlive(mark)) return false
  try {
    return process.kill(mark.pid, signal)
  } catch {
    return false // it ended between the look and the signal
  }
}
