// Alarms: what no honest machine does. Each is counted; it is written to the journal and the log too, but not again and
// again while someone repeats it.

import type { BootEvent } from '#model/boot.ts'
import type { Log } from '../log.ts'
import type { Journal } from './journal.ts'

/** Something that an operator should look at. */
export type Alarm = {
  /** `refused`, `replayed`, `held`, ...: the kind of the event, and the label of the metric. From a small fixed set. */
  readonly kind: string
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
}

/** How long the same alarm is only counted. */
const QUIET_MS = 60_000
/** How many different alarms of one kind are written for a machine in that time: their texts hold what a sender chose. */
const WRITTEN_AT_ONCE = 10
/** How many alarms are remembered for that; the oldest is forgotten first. */
const REMEMBERED = 1000

/** Where all alarms of a server are raised. */
export class Alarms {
  readonly #journal: Pick<Journal, 'record'>
  readonly #count: (kind: string) => void
  readonly #log: Log
  readonly #clock: () => number
  /** The reasons, or texts, that were written since a time, by machine (or MAC) and kind. */
  readonly #written = new Map<string, { readonly since: number; readonly texts: Set<string> }>()

  /**
   * @param count counts one alarm of a kind, as `pilotlight_alarms_total`
   * @param clock milliseconds that only grow
   */
  constructor(
    journal: Pick<Journal, 'record'>,
    count: (kind: string) => void,
    log: Log,
    clock: () => number = () => performance.now(),
  ) {
    this.#journal = journal
    this.#count = count
    this.#log = log
    this.#clock = clock
  }

  /** Counts an alarm; writes it to the journal and the log unless the same, or ten others of its kind, were within a minute. */
  raise({ kind, mac, machine, layer, reason, text, detail, boot }: Alarm): void {
    this.#count(kind)
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
