// Who asks on the port of the agents: a machine with the token of one of its boots.

import type { Machine } from '#model/machine.ts'
import type { TokenRecord } from '../store/machine-records.ts'

/** A machine that holds the token of its boot, and where it asks from. */
export type TokenHolder = {
  readonly token: TokenRecord
  readonly machine: Machine
  readonly mac: string
  /** The sender's. */
  readonly address: string
}
