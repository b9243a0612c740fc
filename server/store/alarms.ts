// What alarms are kept in.

import type { Alarm } from '#model/alarm.ts'

/** Where alarms outlive the process. */
export interface AlarmStore {
  /** All that are kept, the one seen longest ago first. */
  all(): Promise<readonly Alarm[]>
  /** Keeps alarms, each in place of the one with its id, and forgets others by their ids; on disk when it resolves. */
  keep(alarms: readonly Alarm[], forgotten: readonly string[]): Promise<void>
}
