// The inventory's objects in SQLite.

import type { Kind } from '#model/kinds.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { SiteObjects } from '#model/site.ts'
import { auditedWrite, auditEntry } from '../audit-entry.ts'
import type { Audited } from '../audit.ts'
import type { Database } from './database.ts'
import type { ObjectTable } from './object-table.ts'
import type {
  Author,
  ObjectFollower,
  ObjectStore,
  Revision,
  RowChange,
  RowOutcome,
  StoredNetwork,
} from '../objects.ts'
import type { StoredAudit } from './audit.ts'

/** The tables of objects and of sites. */
export class StoredObjects implements ObjectStore {
  readonly #db: Database
  readonly #table: ObjectTable
  readonly #audit: StoredAudit
  #follower: Omit<ObjectFollower, 'begin'> = { objects: () => {}, networks: () => {} }

  constructor(db: Database, table: ObjectTable, audit: StoredAudit) {
    this.#db = db
    this.#table = table
    this.#audit = audit
  }

  async follow(follower: ObjectFollower): Promise<void> {
    this.#db.flush()
    this.#follower = follower
    follower.begin({ objects: this.#table.all(), networks: this.#networks() })
  }

  write(changes: readonly RowChange[], author: Author): Promise<RowOutcome[]> {
    const work = () => {
      const outcomes = this.#table.apply(changes, author)
      this.#putAudit(author, auditedWrite(outcomes, 'transaction:objects'))
      return outcomes
    }
    return this.#db.together(work, { committed: outcomes => this.#follower.objects(outcomes) })
  }

  /** Does the write, and undoes it. */
  async dryRun(changes: readonly RowChange[], author: Author): Promise<RowOutcome[]> {
    const undo = new Undo()
    try {
      this.#db.atOnce(() => {
        undo.outcomes = this.#table.apply(changes, author)
        throw undo
      })
    } catch (error) {
      if (error !== undo) throw error
    }
    return undo.outcomes
  }

  async putSite(
    name: string,
    { network, ...objects }: SiteObjects,
    author: Omit<Author, 'site'>,
  ): Promise<boolean> {
    const wanted: readonly RowChange[] = [
      ...objects.machines.map(
        (object, position) => ({ kind: 'machine', id: object.name, object, position }) as const,
      ),
      ...objects.profiles.map(
        (object, position) => ({ kind: 'profile', id: object.id, object, position }) as const,
      ),
      ...objects.groups.map(
        (object, position) => ({ kind: 'group', id: object.id, object, position }) as const,
      ),
    ]
    const ids = new Set(wanted.map(({ kind, id }) => `${kind} ${id}`))
    const { outcomes, isNew } = this.#db.atOnce(() => {
      const { changes } = this.#db.run(
        `INSERT INTO sites (name, network) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET network = excluded.network WHERE network <> excluded.network`,
        name,
        JSON.stringify(network),
      )
      // What goes gives up its addresses before others take them.
      const gone = this.#table.ofSite(name).filter(({ kind, id }) => !ids.has(`${kind} ${id}`))
      const removals = gone.map(({ kind, id }) => ({ kind, id }))
      const written = this.#table.apply([...removals, ...wanted], { ...author, site: name })
      const isNew = changes > 0
      const entity = `site:${name}`
      const ofNetwork: Audited = { entity, outcome: 'done', summary: 'its network' }
      this.#putAudit(author, auditedWrite(written, entity) ?? (isNew ? ofNetwork : undefined))
      return { outcomes: written, isNew }
    })
    const changed = isNew || outcomes.some(({ before, after }) => before !== after)
    if (changed) this.#follower.objects(outcomes)
    if (isNew) this.#follower.networks(this.#networks())
    return changed
  }

  async networks(): Promise<StoredNetwork[]> {
    return this.#networks()
  }

  async history(kind: Kind, id: string, limit: number): Promise<Revision[]> {
    this.#db.flush()
    return this.#table.history(kind, id, limit)
  }

  /** Adds the entry of a write to the audit log, in its transaction. */
  #putAudit({ audit, at }: Author, audited: Audited | undefined): void {
    if (audit !== undefined && audited !== undefined) this.#audit.put(auditEntry(audit, audited, at))
  }

  #networks(): StoredNetwork[] {
    return this.#db
      .all<{ name: string; network: string }>('SELECT name, network FROM sites ORDER BY name')
      .map(({ name, network }) => ({ name, network: JSON.parse(network) as ProvisioningNetwork })) // by putSite
  }
}

/** Thrown to undo what was only tried. */
class Undo extends Error {
  outcomes: RowOutcome[] = []
}
