// One run at a time in a state directory. The lock names its holder, so a killed run locks nobody out.

import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ChartsLocked } from './errors.ts'

/**
 * Takes the lock of `stateDirectory`, and gives what lets go of it.
 *
 * @throws {ChartsLocked} while the process that holds it lives
 */
export async function lockCharts(stateDirectory: string): Promise<() => Promise<void>> {
  const path = join(stateDirectory, 'openstack.lock')
  const mine = `${process.pid} ${await startOf(process.pid)}`
  for (let attempt = 1; ; attempt += 1) {
    try {
      await writeFile(path, mine, { flag: 'wx' })
      return () => rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error // fs throws nothing else
    }
    const held = await readFile(path, 'utf8').catch(() => '')
    const pid = Number(held.split(' ')[0])
    const lives = held !== '' && held === `${pid} ${await startOf(pid)}`
    if (lives || attempt > 5) throw new ChartsLocked(pid, path)
    await rm(path, { force: true })
  }
}

/** When a process began, in ticks since the host's start: tells it from a later one with its number. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
