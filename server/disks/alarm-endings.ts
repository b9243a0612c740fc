// When the alarms about upgrades of machines are over.

import type { Order } from '#model/install.ts'
import type { Ending } from '../alarms/conditions.ts'
import { nameOf } from '../alarms/transitions.ts'

/** What decides whether these alarms are over. */
export type EndingNeeds = {
  /** What is ordered for a machine, as long as it holds. */
  readonly orderOf: (name: string) => Order | undefined
}

/** The end of `upgrade`. */
export function alarmEndings({ orderOf }: EndingNeeds): readonly Ending[] {
  return [
    {
      // Ordered again, done after all, taken back, or a week old.
      code: 'PL-7010',
      judge: async () => alarm => orderOf(nameOf(alarm.entity))?.state !== 'failed',
    },
  ]
}
