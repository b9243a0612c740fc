// Alarms that begin or end by themselves: what is looked at every few seconds, and what is done with it.

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
  /** Says whether what the alarm reports is over. Asked only while it is open. */
  readonly isOver: (alarm: Alarm) => boolean | Promise<boolean>
}

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
  for (const { code, isOver } of endings) {
    for (const alarm of list.open(code)) {
      const { entity, lastSeen } = alarm
      if (!(await isOver(alarm))) continue
      // It may have been raised again while it was looked at.
      if (list.get(alarm.id).lastSeen === lastSeen) list.end(code, entity)
    }
  }
  const ofRemoved = Array.from(list.all()).filter(({ entity, state }) => {
    return state !== 'cleared' && entity.startsWith('machine:') && !isDeclared(nameOf(entity))
  })
  for (const { code, entity } of ofRemoved) list.end(code, entity)
}
