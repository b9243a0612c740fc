// The inventory's objects in SQLite.

import type { Kind } from '#model/kinds.ts'
import type { ProvisioningNetwork, SiteObjects } from '#model/network.ts'
import type { Database } from '../database.ts'
import type { ObjectTable } from '../object-table.ts'
import type {
  Author,
  ObjectFollower,
  ObjectStore,
  Revision,
  RowChange,
  RowOutcome,
  Snapshot,
  StoredNetwork,
} from '../objects.ts'

/** The tables of objects and of sites. */
export class StoredObjects implements ObjectStore {
  readonly #db: Database
  readonly #table: ObjectTable
  #follower: ObjectFollower = { objects: () => {}, networks: () => {} }

  constructor(db: Database, table: ObjectTable) {
    this.#db = db
    this.#table = table
  }

  async follow(follower: ObjectFollower): Promise<Snapshot> {
    this.#db.flush()
    this.#follower = follower
    return { objects: this.#table.all(), networks: this.#networks() }
  }

  write(changes: readonly RowChange[], author: Author): Promise<RowOutcome[]> {
    return this.#db.together(() => this.#table.apply(changes, author), {
      committed: outcomes => this.#follower.objects(outcomes),
    })
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
      return { outcomes: written, isNew: changes > 0 }
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
