// Who asks on the port of the agents: a machine with the token of one of its boots.

import type { AlarmKind } from '#model/alarm.ts'
import type { Machine } from '#model/machine.ts'
import type { Occurrence } from '../machines/occurrences.ts'
import type { TokenRecord } from '../store/machine-records.ts'

/** A machine that holds the token of its boot, and where it asks from. */
export type TokenHolder = {
  readonly token: TokenRecord
  readonly machine: Machine
  readonly mac: string
  /** The sender's. */
  readonly address: string
}

/** An alarm about what a machine asked with its token. */
export function alarmOf(
  { token, machine, mac, address }: TokenHolder,
  kind: AlarmKind,
  text: string,
): Occurrence {
  const detail = { from: address }
  return { kind, mac, machine: machine.name, layer: 'http', boot: token.boot, text, detail }
}
