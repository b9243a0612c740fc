// How an alarm goes from one state to the next.

import { ALARMS, type Alarm, type AlarmCode } from '#model/alarm.ts'
import { cleanText } from '#model/clean.ts'
import { shellWord } from '#host/shell.ts'

/** That an alarm was raised: once more, or for the first time. */
export type Raised = {
  readonly code: AlarmCode
  /** With its kind, for example `machine:ctl-1`. */
  readonly entity: string
  /** A sentence for a person. */
  readonly reason: string
}

/** The id of the one alarm that a code and an entity have. */
export function alarmId({ code, entity }: Pick<Alarm, 'code' | 'entity'>): string {
  return `${code}:${entity}`
}

/**
 * An alarm after it was raised. It stays acknowledged while it repeats; one that was cleared begins again.
 *
 * @param now milliseconds since 1970
 */
export function raise(before: Alarm | undefined, { code, entity, reason }: Raised, now: number): Alarm {
  const goesOn = before !== undefined && before.state !== 'cleared' ? before : undefined
  return alarmOf({
    code,
    entity,
    since: goesOn?.since ?? now,
    lastSeen: now,
    count: (goesOn?.count ?? 0) + 1,
    reason: cleanText(reason),
    ...(goesOn?.acknowledged && { acknowledged: goesOn.acknowledged }),
  })
}

/** An alarm that an operator knows of now. One that is acknowledged already, or cleared, stays as it is. */
export function acknowledge(alarm: Alarm, who: string, now: number): Alarm {
  if (alarm.state !== 'active') return alarm
  return { ...alarm, state: 'acknowledged', acknowledged: { at: now, who } }
}

/** An alarm that is over: by its condition, or because the operator `who` says so. One that is cleared stays as it is. */
export function clear(alarm: Alarm, now: number, who?: string): Alarm {
  if (alarm.state === 'cleared') return alarm
  return { ...alarm, state: 'cleared', cleared: { at: now, ...(who !== undefined && { who }) } }
}

/** What of an alarm does not follow from the rest. */
export type AlarmFacts = Omit<Alarm, 'id' | 'severity' | 'state' | 'repair'>

/** An alarm as a whole. */
export function alarmOf(facts: AlarmFacts): Alarm {
  const { code, entity, acknowledged, cleared, ...seen } = facts
  const { severity, repair } = ALARMS[code]
  return {
    id: alarmId(facts),
    code,
    severity,
    entity,
    state: cleared !== undefined ? 'cleared' : acknowledged !== undefined ? 'acknowledged' : 'active',
    ...seen,
    repair: repair.replaceAll('{name}', wordOf(nameOf(entity))),
    ...(acknowledged && { acknowledged }),
    ...(cleared && { cleared }),
  }
}

/** The name of an entity without its kind. */
export function nameOf(entity: string): string {
  return entity.slice(entity.indexOf(':') + 1)
}

/** A name as one word of a command line, in quotes only where it needs them. */
function wordOf(name: string): string {
  return /^[\w./:@-]+$/.test(name) ? name : shellWord(name)
}
