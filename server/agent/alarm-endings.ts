// When the alarms about keys and signers of machines are over.

import type { Alarm } from '#model/alarm.ts'
import type { Machine } from '#model/machine.ts'
import type { Ending } from '../alarms/conditions.ts'
import { nameOf } from '../alarms/transitions.ts'
import type { MachineRecord, MachineRecords } from '../store/machine-records.ts'
import { signingAlarms } from './signing-ends.ts'

/** What decides whether these alarms are over. */
export type EndingNeeds = {
  readonly store: Pick<MachineRecords, 'read' | 'signings'>
  readonly machineOf: (name: string) => Machine | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** The ends of `held` and of `signing`. */
export function alarmEndings({ store, machineOf, now }: EndingNeeds): readonly Ending[] {
  return [
    {
      code: 'PL-7003',
      judge: () => alarm => store.read(nameOf(alarm.entity), record => isDecided(record, alarm)),
    },
    {
      code: 'PL-7008',
      judge: async () => {
        const signings = await store.signings()
        return ({ entity }) => {
          const machine = machineOf(nameOf(entity))
          return machine === undefined || signingAlarms(signings, [machine], now()).length === 0
        }
      },
    },
  ]
}

/** Says whether an operator decided on the machine since it was held last, or whether it got its bundle. */
function isDecided(record: MachineRecord, { lastSeen }: Pick<Alarm, 'lastSeen'>): boolean {
  const isSince = (at: number | undefined) => at !== undefined && at >= lastSeen
  return (
    isSince(record.lastUsedBoot()?.bundleAt) ||
    isSince(record.reopening()?.at) ||
    record.keys().some(({ decidedAt }) => isSince(decidedAt))
  )
}
