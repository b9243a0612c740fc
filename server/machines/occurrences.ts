// Alarms about machines, each time that they are raised: counted, and kept in the list of alarms; written to the journal and
// the log too, but not again and again while someone repeats it.

import { CODE_OF, type AlarmKind } from '#model/alarm.ts'
import type { BootEvent } from '#model/boot.ts'
import type { AlarmList } from '../alarms/alarm-list.ts'
import type { Log } from '../log.ts'
import type { Journal } from './journal.ts'

/** One time that an alarm is raised. */
export type Occurrence = {
  /** `refused`, `replayed`, `held`, ...: of which alarm, the kind of the event, and the label of the metric. */
  readonly kind: AlarmKind
  /** The MAC in whose journal it is written; lower case, colons. */
  readonly mac: string
  /** The declared machine, where there is one. */
  readonly machine?: string
  readonly layer: BootEvent['layer']
  /** A word or two for why, of a small fixed set: alarms with the same are one, whatever a sender wrote into the text. */
  readonly reason?: string
  /** A sentence for a person, which ends with what to do where something can be done. */
  readonly text: string
  readonly detail?: BootEvent['detail']
  /** The boot that it is about, when that may not be the current one. */
  readonly boot?: string
  /** What the alarm is about, where that is not the machine: `pool:10.20.0.100`. */
  readonly entity?: string
}

/** What raising an alarm needs. */
export type OccurrenceNeeds = {
  readonly journal: Pick<Journal, 'record'>
  /** Where alarms are kept as states. */
  readonly list: Pick<AlarmList, 'raise'>
  /** Counts one occurrence of a kind, as `pilotlight_alarms_total`. */
  readonly count: (kind: AlarmKind) => void
  readonly log: Log
  /** Milliseconds that only grow. */
  readonly clock?: () => number
}

/** How long the same occurrence is only counted. */
const QUIET_MS = 60_000
/** How many different occurrences of one kind are written for a machine in that time: their texts hold what a sender chose. */
const WRITTEN_AT_ONCE = 10
/** How many machines and kinds are remembered for that; the oldest is forgotten first. */
const REMEMBERED = 1000

/** Where alarms about machines are raised. */
export class Occurrences {
  readonly #journal: OccurrenceNeeds['journal']
  readonly #list: OccurrenceNeeds['list']
  readonly #count: OccurrenceNeeds['count']
  readonly #log: Log
  readonly #clock: () => number
  /** The reasons, or texts, that were written since a time, by machine (or MAC) and kind. */
  readonly #written = new Map<string, { readonly since: number; readonly texts: Set<string> }>()

  constructor({ journal, list, count, log, clock = () => performance.now() }: OccurrenceNeeds) {
    this.#journal = journal
    this.#list = list
    this.#count = count
    this.#log = log
    this.#clock = clock
  }

  /** Counts an occurrence; writes it to the journal and the log unless the same, or ten others of its kind, were within a minute. */
  raise(occurrence: Occurrence): void {
    const { kind, mac, machine, layer, reason, text, detail, boot } = occurrence
    this.#count(kind)
    const { entity = machine === undefined ? `mac:${mac}` : `machine:${machine}` } = occurrence
    this.#list.raise({ code: CODE_OF[kind], entity, reason: text })
    const about = `${machine ?? mac} ${kind}`
    const now = this.#clock()
    const before = this.#written.get(about)
    const isRecent = before !== undefined && now - before.since < QUIET_MS
    const recent = isRecent ? before : { since: now, texts: new Set<string>() }
    const same = reason ?? text
    if (recent.texts.has(same) || recent.texts.size >= WRITTEN_AT_ONCE) return
    this.#written.delete(about)
    this.#written.set(about, recent)
    recent.texts.add(same)
    for (const oldest of this.#written.keys()) {
      if (this.#written.size <= REMEMBERED) break
      this.#written.delete(oldest)
    }
    this.#log('warn', text, { alarm: kind, machine: machine ?? mac })
    const where = boot === undefined ? {} : { boot }
    const whose = { mac, ...(machine !== undefined && { machine }) }
    this.#journal.record({ ...whose, layer, kind, text, ...(detail && { detail }), ...where })
  }
}
