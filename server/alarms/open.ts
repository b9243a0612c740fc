// The alarms of a server that runs.

import type { Parts } from '../process/parts.ts'
import type { AlarmStore } from '../store/alarms.ts'
import { AlarmList } from './alarm-list.ts'

/** Opens the alarms that a store keeps; what the disk does not have yet is written when they are closed. */
export async function openAlarms(store: AlarmStore, now: () => number, parts: Parts): Promise<AlarmList> {
  return parts.add('the alarms', await AlarmList.open(store, now))
}
