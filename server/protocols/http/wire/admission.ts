// What the listeners of one process share to stay usable when a sender asks too much.

import type { StrangerLimits } from '../../../limits/http.ts'
import type { Refuse } from '../../../limits/refusals.ts'
import { ConnectionCaps, connectionLimitsFor, descriptorLimit } from './connection-limits.ts'
import { ReadCosts } from './read-costs.ts'
import { Turns } from './turns.ts'

/** Connections, the order of requests, and the time that reads take. */
export type Admission = {
  readonly connections: ConnectionCaps
  readonly turns: Turns
  readonly reads: ReadCosts
}

/** @param isDeclared says whether an address is that of a declared machine */
export function admission(
  refuse: Refuse,
  isDeclared: (address: string) => boolean,
  limits: StrangerLimits,
): Admission {
  const connections = new ConnectionCaps(refuse, connectionLimitsFor(descriptorLimit()))
  return {
    connections,
    turns: new Turns(refuse, isDeclared, limits.turns, connections.punish),
    reads: new ReadCosts(refuse, limits.reads),
  }
}
