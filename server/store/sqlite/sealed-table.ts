// What the store keeps sealed: bundles of machines, authorities of sites, until when controllers can sign, and keys of disks.
// A copy of the database without its key file shows none of them.

import { dirname, join } from 'node:path'
import { openKeyFile, passingKey, seal, SealError, unseal, type SealKey } from '#host/seal.ts'
import { BrokenState } from '../../errors.ts'
import type { Database } from './database.ts'

/** The name of the key file, in the folder of the store; mode 0600. */
export const storeKeyName = 'store.key'

type Kind = 'bundle' | 'authority' | 'signing' | 'disk'
type Row = { readonly kind: Kind; readonly name: string; readonly sealed: Uint8Array }

/** The table of sealed values: JSON under AES-256-GCM, tied to kind and name. */
export class SealedTable {
  readonly #db: Database
  readonly #key: SealKey

  /**
   * @param path of the store; its key is in the same folder, and is made with the first start. `:memory:` has a key that
   *   ends with the process.
   * @throws {BrokenState} when there are sealed rows and the key is missing or another
   */
  constructor(db: Database, path: string) {
    this.#db = db
    const [first] = db.all<Row>('SELECT kind, name, sealed FROM sealed LIMIT 1')
    const keyFile = join(dirname(path), storeKeyName)
    try {
      this.#key =
        path === ':memory:' ? passingKey() : openKeyFile(keyFile, first === undefined, 'The file is missing.')
      if (first !== undefined) this.#open(first)
    } catch (cause) {
      if (!(cause instanceof SealError)) throw cause
      const remedy =
        'Restore the file from the backup that the store is from. If it is lost, move pilotlight.db away too and run ' +
        "'pilotlight up' for each site: it puts bundles and authorities again."
      throw new BrokenState(keyFile, `is not the key of ${path}: ${cause.message}`, remedy, { cause })
    }
  }

  read(kind: Kind, name: string): unknown {
    const [row] = this.#db.all<Row>(
      'SELECT kind, name, sealed FROM sealed WHERE kind = ? AND name = ?',
      kind,
      name,
    )
    return row && JSON.parse(this.#open(row))
  }

  /** Says whether there is a value, without opening it. */
  has(kind: Kind, name: string): boolean {
    return this.#db.all('SELECT 1 FROM sealed WHERE kind = ? AND name = ?', kind, name).length > 0
  }

  /** The names of a kind. */
  names(kind: Kind): string[] {
    return this.#db
      .all<{ name: string }>('SELECT name FROM sealed WHERE kind = ? ORDER BY name', kind)
      .map(({ name }) => name)
  }

  /** Every name of a kind with its value. */
  all(kind: Kind): [string, unknown][] {
    const rows = this.#db.all<Row>('SELECT kind, name, sealed FROM sealed WHERE kind = ?', kind)
    return rows.map(row => [row.name, JSON.parse(this.#open(row))])
  }

  /** Says whether the value differs from the one that was there; in the transaction of its caller. */
  write(kind: Kind, name: string, value: object): boolean {
    const text = JSON.stringify(value)
    const [before] = this.#db.all<Row>(
      'SELECT kind, name, sealed FROM sealed WHERE kind = ? AND name = ?',
      kind,
      name,
    )
    if (before !== undefined && this.#open(before) === text) return false
    const sealed = seal(this.#key, text, contextOf(kind, name))
    this.#db.run('REPLACE INTO sealed (kind, name, sealed) VALUES (?, ?, ?)', kind, name, sealed)
    return true
  }

  #open({ kind, name, sealed }: Row): string {
    return unseal(this.#key, sealed, contextOf(kind, name))
  }
}

function contextOf(kind: Kind, name: string): string {
  return `${kind} of ${name}`
}
