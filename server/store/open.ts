// The store of a server that runs: every page of it is checked, at once or beside the start.

import { BrokenState } from '../errors.ts'
import type { Parts } from '../process/parts.ts'
import { checkStoreBeside } from './sqlite/check.ts'
import { SqliteStore } from './sqlite/store.ts'

/** What opening the store needs. */
export type StoreNeeds = {
  /** The file of the database. */
  readonly path: string
  /** Gets to know whether the store takes writes, and what was damaged. */
  readonly health: { include(write: () => void): void; failed(error: unknown): void }
  /** Gets the reason why the store could not be checked. */
  readonly report: (problem: Error) => void
}

/** A store that is open. */
export type OpenStore = {
  readonly store: SqliteStore
  /**
   * For the end of the start: throws when the check has found damage by then. Damage that is found later goes to `health`.
   *
   * @throws {BrokenState}
   */
  readonly throwIfDamaged: () => void
}

/**
 * Opens the store, and has every page of it checked: before this returns where the store is small, in a thread beside the
 * start where it is large.
 *
 * @throws {BrokenState} when it is damaged
 */
export function openStore({ path, health, report }: StoreNeeds, parts: Parts): OpenStore {
  const store = parts.add('the store', new SqliteStore(path, error => health.failed(error)))
  health.include(() => store.tryWrite())
  const check = parts.add('the check of the store', checkStoreBeside(path))
  let damage: Error | undefined
  let isStarting = true
  void check.done.then(found => {
    if (found !== undefined && !(found instanceof BrokenState)) return report(found)
    damage = found
    if (found !== undefined && !isStarting) health.failed(found)
  })
  return {
    store,
    throwIfDamaged: () => {
      isStarting = false
      if (damage !== undefined) throw damage
    },
  }
}
