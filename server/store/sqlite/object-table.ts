// Groups, profiles, templates and machines in SQLite: what is in effect, every write that led to it, and the rules that
// hold inside a transaction. Every method runs in the transaction of its caller.

import { canonical } from '#host/canonical.ts'
import type { Kind, Objects } from '#model/kinds.ts'
import type { Machine } from '#model/machine.ts'
import { OwnedBySite, PreconditionFailed, SiteConflict, NotStored } from '../errors.ts'
import type { Database } from './database.ts'
import type { Author, Revision, RowChange, RowOutcome, StoredObject } from '../objects.ts'

/** How many revisions of an object are kept. */
const KEPT_REVISIONS = 100

const FREE_CLAIMS = 'DELETE FROM claims WHERE machine = ?'

const ROWS = `SELECT o.kind, o.id, o.site, o.position, o.revision, o.hides, r.at, r.who, r.content
  FROM objects o JOIN revisions r ON r.number = o.revision`

/** The tables `objects`, `revisions` and `claims`. */
export class ObjectTable {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** All objects; those of a site in the order of its file. Nothing else can be asked meanwhile. */
  *all(): Iterable<StoredObject> {
    const order = 'ORDER BY o.site, o.kind DESC, o.position, o.id'
    for (const row of this.#db.each<Row>(`${ROWS} ${order}`)) yield storedOf(row)
  }

  one(kind: Kind, id: string): StoredObject | undefined {
    const [row] = this.#db.all<Row>(`${ROWS} WHERE o.kind = ? AND o.id = ?`, kind, id)
    return row && storedOf(row)
  }

  ofSite(site: string): StoredObject[] {
    return this.#db.all<Row>(`${ROWS} WHERE o.site = ? ORDER BY o.position, o.id`, site).map(storedOf)
  }

  /** What was written to an object, newest first. */
  history(kind: Kind, id: string, limit: number): Revision[] {
    type HistoryRow = { number: number; at: number; who: string; content: string | null }
    return this.#db
      .all<HistoryRow>(
        'SELECT number, at, who, content FROM revisions WHERE kind = ? AND id = ? ORDER BY number DESC LIMIT ?',
        kind,
        id,
        limit,
      )
      .map(({ number, at, who, content }) => ({
        revision: number,
        at,
        who,
        ...(content === null
          ? { action: 'delete' as const }
          : { action: 'put' as const, object: JSON.parse(content) as Objects[Kind] }),
      }))
  }

  /**
   * Makes the changes in their order; those that change nothing write nothing.
   *
   * @throws {PreconditionFailed} {NotStored} {OwnedBySite} {SiteConflict}; the caller undoes the transaction
   */
  apply(changes: readonly RowChange[], author: Author): RowOutcome[] {
    // Machines of one batch may swap their addresses.
    for (const { kind, id, object } of changes) {
      if (kind === 'machine' && object !== undefined) this.#db.run(FREE_CLAIMS, id)
    }
    return changes.map(change => this.#applyOne(change, author))
  }

  /** Forgets the history, up to a time, of what is no longer there; never the newest number, which must not be given twice. */
  prune(before: number, share: number): void {
    this.#db.run(
      `DELETE FROM revisions WHERE rowid IN (
         SELECT rowid FROM revisions WHERE at < ? AND number < (SELECT max(number) FROM revisions)
         AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.kind = revisions.kind AND o.id = revisions.id)
         ORDER BY number LIMIT (SELECT ceil(count(*) * ?) FROM revisions))`,
      before,
      share,
    )
  }

  #applyOne(change: RowChange, author: Author): RowOutcome {
    const { kind, id, object } = change
    const before = this.one(kind, id)
    if (change.expect !== undefined && change.expect !== (before?.revision ?? 0)) {
      throw new PreconditionFailed(kind, id, before?.revision)
    }
    if (before !== undefined && before.site !== author.site) {
      if (author.site === undefined) throw new OwnedBySite(kind, id, before.site ?? '')
      throw new SiteConflict(kind, id, author.site, before.site)
    }
    if (object === undefined && change.hides !== undefined)
      return this.#hide(change, change.hides, before, author)
    if (object === undefined) {
      if (before?.object === undefined) throw new NotStored(kind, id)
      this.#db.run('DELETE FROM objects WHERE kind = ? AND id = ?', kind, id)
      if (kind === 'machine') this.#db.run(FREE_CLAIMS, id)
      this.#revise(kind, id, author, null)
      return { kind, id, before, after: undefined }
    }
    if (kind === 'machine') this.#claim(object as Machine, author) // the object of that kind
    const position = change.position ?? 0
    if (before?.object !== undefined && canonical(before.object) === canonical(object)) {
      if (before.position === position) return { kind, id, before, after: before }
      const move = 'UPDATE objects SET position = ? WHERE kind = ? AND id = ?'
      this.#db.run(move, position, kind, id)
      return { kind, id, before, after: { ...before, position } }
    }
    const revision = this.#revise(kind, id, author, JSON.stringify(object))
    this.#db.run(
      `INSERT INTO objects (kind, id, site, position, revision) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (kind, id) DO UPDATE
       SET position = excluded.position, revision = excluded.revision, hides = NULL`,
      kind,
      id,
      author.site ?? null,
      position,
      revision,
    )
    return { kind, id, before, after: { kind, id, object, revision, position, ...author } }
  }

  #hide(
    { kind, id }: RowChange,
    hides: string,
    before: StoredObject | undefined,
    author: Author,
  ): RowOutcome {
    const revision = this.#revise(kind, id, author, null)
    this.#db.run(
      `INSERT INTO objects (kind, id, position, revision, hides) VALUES (?, ?, 0, ?, ?)
       ON CONFLICT (kind, id) DO UPDATE SET revision = excluded.revision, hides = excluded.hides`,
      kind,
      id,
      revision,
      hides,
    )
    return {
      kind,
      id,
      before,
      after: { kind, id, hides, revision, position: 0, at: author.at, who: author.who },
    }
  }

  /** Writes a revision, and forgets the oldest beyond those that are kept. */
  #revise(kind: Kind, id: string, { at, who }: Author, content: string | null): number {
    const { lastInsertRowid } = this.#db.run(
      'INSERT INTO revisions (kind, id, at, who, content) VALUES (?, ?, ?, ?, ?)',
      kind,
      id,
      at,
      who,
      content,
    )
    this.#db.run(
      `DELETE FROM revisions WHERE kind = ? AND id = ? AND number <= (
         SELECT number FROM revisions WHERE kind = ? AND id = ? ORDER BY number DESC LIMIT 1 OFFSET ?)`,
      kind,
      id,
      kind,
      id,
      KEPT_REVISIONS,
    )
    return Number(lastInsertRowid)
  }

  /** Takes a machine's address and MACs for it alone. */
  #claim(machine: Machine, { site }: Author): void {
    this.#db.run(FREE_CLAIMS, machine.name)
    const claims = [['address', machine.address], ...machine.macs.map(mac => ['MAC', mac])] as const
    for (const [what = '', value = ''] of claims) {
      const [owner] = this.#db.all<{ machine: string; site: string | null }>(
        `SELECT machine, site FROM claims JOIN objects ON kind = 'machine' AND id = machine
         WHERE what = ? AND value = ?`,
        what,
        value,
      )
      if (owner !== undefined) throw new SiteConflict(what, value, site, owner.site ?? undefined)
      this.#db.run('INSERT INTO claims (what, value, machine) VALUES (?, ?, ?)', what, value, machine.name)
    }
  }
}

type Row = {
  readonly kind: Kind
  readonly id: string
  readonly site: string | null
  readonly position: number
  readonly revision: number
  readonly at: number
  readonly who: string
  readonly content: string | null
  readonly hides: string | null
}

function storedOf({ content, site, hides, ...row }: Row): StoredObject {
  return {
    ...row,
    ...(content === null ? {} : { object: JSON.parse(content) as Objects[Kind] }), // written from one of that kind
    ...(hides === null ? {} : { hides }),
    ...(site === null ? {} : { site }),
  }
}
