// Alarms that begin or end by themselves: what is looked at every few seconds, and what is done with it.

import { setImmediate } from 'node:timers/promises'
import type { Alarm, AlarmCode } from '#model/alarm.ts'
import type { AlarmList } from './alarm-list.ts'
import { nameOf } from './transitions.ts'

/** A state that is an alarm for as long as it lasts. */
export type Condition = {
  readonly code: AlarmCode
  /** Why, for each entity that it holds for now. */
  readonly find: () => Readonly<Record<string, string>>
}

/** The end of an alarm that is raised elsewhere, each time that something happens. */
export type Ending = {
  readonly code: AlarmCode
  /** Gives what says whether an alarm is over. Asked once a look, while one of its code is open: it may read what is the same for all. */
  readonly judge: () => Judge | Promise<Judge>
}

/** Says whether what an alarm reports is over. */
export type Judge = (alarm: Alarm) => boolean | Promise<boolean>

/** How many alarms are looked at before what else waits has its turn: a read of the store does not give way by itself. */
const IN_A_TURN = 50

/** What is looked at. */
export type Watched = {
  readonly conditions: readonly Condition[]
  readonly endings: readonly Ending[]
  /** Says whether there is a machine of a name: alarms about one that was removed are over. */
  readonly isDeclared: (machine: string) => boolean
}

/** Looks at everything once: raises what holds and is not open, or has another reason, and ends what is over. */
export async function look(list: AlarmList, { conditions, endings, isDeclared }: Watched): Promise<void> {
  for (const { code, find } of conditions) {
    const found = find()
    const open = new Map(list.open(code).map(alarm => [alarm.entity, alarm]))
    for (const [entity, reason] of Object.entries(found)) {
      if (open.get(entity)?.reason !== reason) list.raise({ code, entity, reason })
    }
    for (const entity of open.keys()) if (!Object.hasOwn(found, entity)) list.end(code, entity)
  }
  for (const { code, judge } of endings) {
    const open = list.open(code)
    if (open.length === 0) continue
    const isOver = await judge()
    for (const [at, alarm] of open.entries()) {
      if (at % IN_A_TURN === IN_A_TURN - 1) await setImmediate()
      // It may have been raised again while it was looked at.
      if (await isOver(alarm)) list.end(code, alarm.entity, alarm.lastSeen)
    }
  }
  const ofRemoved = Array.from(list.all()).filter(({ entity, state }) => {
    return state !== 'cleared' && entity.startsWith('machine:') && !isDeclared(nameOf(entity))
  })
  for (const { code, entity } of ofRemoved) list.end(code, entity)
}
