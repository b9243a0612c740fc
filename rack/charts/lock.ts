// One process at a time changes a release.

import { join } from 'node:path'
import { takeLock, type Unlock } from '#host/lock.ts'
import { ChartsLocked } from './errors.ts'

/**
 * Takes the locks of these releases in a state directory, all or none, and gives what lets go of them.
 *
 * @throws {ChartsLocked} while a living process holds one of them
 */
export function lockReleases(stateDirectory: string, releases: readonly string[]): Unlock {
  const taken: Unlock[] = []
  const unlock = () => {
    for (const one of taken.splice(0)) one()
  }
  try {
    for (const name of releases.toSorted()) {
      const path = join(stateDirectory, 'locks', `${name}.lock`)
      taken.push(takeLock(path, holder => new ChartsLocked(name, holder, path)))
    }
    return unlock
  } catch (error) {
    unlock()
    throw error
  }
}
