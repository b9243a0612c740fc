// One run at a time in a state directory.

import { join } from 'node:path'
import { takeLock } from '#host/lock.ts'
import { ChartsLocked } from './errors.ts'

/**
 * Takes the lock of `stateDirectory`, and gives what lets go of it.
 *
 * @throws {ChartsLocked} while the process that holds it lives
 */
export async function lockCharts(stateDirectory: string): Promise<() => Promise<void>> {
  const path = join(stateDirectory, 'openstack.lock')
  const unlock = takeLock(path, holder => new ChartsLocked(holder, path))
  return async () => unlock()
}
