// The state directory of a server that runs: locked for this process, and watched for whether its disk takes writes.

import type { Log } from '../log.ts'
import type { Parts } from '../process/parts.ts'
import { lockState } from './lock.ts'
import { WriteHealth } from './write-health.ts'

/** What opening the state directory needs. */
export type StateNeeds = {
  readonly statePath: string
  readonly log: Log
  /** Ends the wait for a server that still has the directory. */
  readonly signal: AbortSignal
}

/**
 * Takes the directory for this process, and returns its health.
 *
 * @throws what `lockState` throws
 */
export async function openState({ statePath, log, signal }: StateNeeds, parts: Parts): Promise<WriteHealth> {
  parts.add('the lock of the state directory', { close: await lockState(statePath, signal) })
  return parts.add('the health of the state directory', new WriteHealth(statePath, log))
}
