// Boots and their events in SQLite.

import { type Boot, type BootEvent, bootNumber } from '#model/boot.ts'
import { cleanText } from '#model/clean.ts'
import type { Database } from './database.ts'
import type { UnstoredEvent } from '../events.ts'
import { keepLast } from '../../limits/bounded.ts'

/** The tables `boots` and `events`. */
export class EventTable {
  readonly #db: Database
  /** Boots whose rows are up to date, with the machine of each: most events change nothing of their boot. */
  readonly #written = new Map<string, string | undefined>()

  constructor(db: Database) {
    this.#db = db
    db.whenUndone(() => this.#written.clear())
  }

  /** Writes an event and its boot, in the transaction of its caller; gives the event's id, the next in the order of the commits. */
  append(boot: Boot, event: UnstoredEvent): number {
    if (!this.#written.has(boot.id) || this.#written.get(boot.id) !== boot.machine) this.#putBoot(boot)
    const { lastInsertRowid } = this.#db.run(
      'INSERT INTO events (at, boot, mac, machine, layer, kind, text, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      event.at,
      event.boot,
      event.mac,
      event.machine ?? null,
      event.layer,
      event.kind,
      event.text,
      JSON.stringify(event.detail),
    )
    return Number(lastInsertRowid)
  }

  #putBoot({ id, mac, machine, began }: Boot): void {
    this.#db.run(
      `INSERT INTO boots (number, id, mac, machine, began) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (number) DO UPDATE SET machine = excluded.machine WHERE machine IS NOT excluded.machine`,
      bootNumber(id),
      id,
      mac,
      machine ?? null,
      began,
    )
    this.#written.set(id, machine)
    keepLast(this.#written, BOOTS_REMEMBERED)
  }

  /** Events after an id, oldest first. */
  after(id: number, { machine, limit }: { readonly machine?: string; readonly limit: number }): BootEvent[] {
    const rows =
      machine === undefined
        ? this.#db.all<EventRow>('SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?', id, limit)
        : this.#db.all<EventRow>(
            'SELECT * FROM events WHERE id > ? AND (machine = ? OR mac = ?) ORDER BY id LIMIT ?',
            id,
            machine,
            machine,
            limit,
          )
    return rows.map(eventOf)
  }

  /** The events of one boot, oldest first. */
  ofBoot(boot: string): BootEvent[] {
    return this.#db.all<EventRow>('SELECT * FROM events WHERE boot = ? ORDER BY id', boot).map(eventOf)
  }

  /** The events of several boots: those of one boot together, oldest first. */
  ofBoots(boots: readonly string[]): BootEvent[] {
    return this.#db
      .all<EventRow>(
        'SELECT * FROM events WHERE boot IN (SELECT value FROM json_each(?)) ORDER BY boot, id',
        JSON.stringify(boots),
      )
      .map(eventOf)
  }

  /** The latest boots of declared machines, of each machine and of each of its MACs, in the order in which they began. */
  latestBoots(): Boot[] {
    return this.#db
      .all<BootRow>(
        `SELECT * FROM boots WHERE number IN (
           SELECT max(number) FROM boots WHERE machine IS NOT NULL GROUP BY mac
           UNION SELECT max(number) FROM boots WHERE machine IS NOT NULL GROUP BY machine)
         ORDER BY number`,
      )
      .map(bootOf)
  }

  /** Boots of undeclared machines, newest first, from before the boot of a number. */
  strangerBoots(before: number, limit: number): (Boot & { readonly number: number })[] {
    return this.#db
      .all<BootRow>(
        'SELECT * FROM boots WHERE machine IS NULL AND number < ? ORDER BY number DESC LIMIT ?',
        before,
        limit,
      )
      .map(row => ({ ...bootOf(row), number: row.number }))
  }

  /** Removes the boots up to a number of these MACs that belong to no declared machine, but never the newest boot of all. */
  forgetStrangers(macs: readonly string[], upTo: number): void {
    this.#forget('mac IN (SELECT value FROM json_each(?)) AND number <= ?', JSON.stringify(macs), upTo)
  }

  /** Removes some boots of undeclared machines from before the boot of a number; says whether there are more. */
  trimStrangers(before: number, limit: number): boolean {
    const [last] = this.#db.all<{ number: number }>(
      'SELECT number FROM boots WHERE machine IS NULL AND number < ? ORDER BY number LIMIT 1 OFFSET ?',
      before,
      limit,
    )
    this.#forget('number < ?', last?.number ?? before)
    return last !== undefined
  }

  #forget(where: string, ...values: (string | number)[]): void {
    this.#written.clear()
    const which = `machine IS NULL AND ${where} AND number < (SELECT max(number) FROM boots)`
    this.#db.run(
      `DELETE FROM events WHERE boot IN (SELECT id FROM boots WHERE ${which}) AND id < (SELECT max(id) FROM events)`,
      ...values,
    )
    this.#db.run(`DELETE FROM boots WHERE ${which}`, ...values)
  }

  /** The boots of a machine or MAC, newest first. */
  bootsOf(
    { machine, macs }: { readonly machine?: string; readonly macs: readonly string[] },
    limit: number,
  ): Boot[] {
    return this.#db
      .all<BootRow>(
        `SELECT * FROM boots WHERE machine = ? OR mac IN (SELECT value FROM json_each(?))
         ORDER BY number DESC LIMIT ?`,
        machine ?? null,
        JSON.stringify(macs),
        limit,
      )
      .map(bootOf)
  }

  /**
   * The highest number of an event, and of a boot: also one of which only a token or a key is kept, since events wait for a
   * commit, and floods keep some out. Its number given again would make another boot have had its token already.
   */
  counters(): { readonly event: number; readonly boot: number } {
    const [row] = this.#db.all<{ event: number; boot: number; token: string | null }>(
      `SELECT (SELECT coalesce(max(id), 0) FROM events) AS event,
         max((SELECT coalesce(max(number), 0) FROM boots), (SELECT coalesce(max(boot), 0) FROM machine_boots)) AS boot,
         (SELECT boot FROM tokens ORDER BY length(boot) DESC, boot DESC LIMIT 1) AS token`,
    )
    if (row === undefined) return { event: 0, boot: 0 }
    const { event, boot, token } = row
    return { event, boot: Math.max(boot, token === null ? 0 : bootNumber(token)) }
  }

  /** Forgets what began before a time, but never the newest, whose numbers must not be given twice. */
  prune(before: number, share: number): void {
    this.#written.clear()
    this.#db.run(
      `DELETE FROM boots WHERE number IN (
         SELECT number FROM boots WHERE began < ? AND number < (SELECT max(number) FROM boots)
         ORDER BY number LIMIT (SELECT ceil(count(*) * ?) FROM boots))`,
      before,
      share,
    )
    this.#db.run(
      `DELETE FROM events WHERE id IN (
         SELECT id FROM events WHERE at < ? AND boot NOT IN (SELECT id FROM boots)
         AND id < (SELECT max(id) FROM events)
         ORDER BY id LIMIT (SELECT ceil(count(*) * ?) FROM events))`,
      before,
      share,
    )
  }

  /** Milliseconds since 1970 of the event that was written last. */
  newest(): number | undefined {
    return this.#db.all<{ at: number }>('SELECT at FROM events ORDER BY id DESC LIMIT 1')[0]?.at
  }
}

/** Boots whose rows are remembered to be written: those that began last. */
const BOOTS_REMEMBERED = 20_000

type BootRow = { number: number; id: string; mac: string; machine: string | null; began: number }
type EventRow = Omit<BootEvent, 'machine' | 'detail'> & { machine: string | null; detail: string }

function bootOf({ id, mac, machine, began }: BootRow): Boot {
  return { id, mac, ...(machine === null ? {} : { machine }), began }
}

function eventOf({ machine, detail, text, ...event }: EventRow): BootEvent {
  return {
    ...event,
    text: cleanText(text), // stores of earlier versions hold texts as they were sent
    ...(machine === null ? {} : { machine }),
    detail: JSON.parse(detail) as BootEvent['detail'],
  }
}
