// The inventory of a server that runs: the store over a data directory that is watched.

import type { Log } from '../log.ts'
import type { Parts } from '../process/parts.ts'
import type { ObjectStore } from '../store/objects.ts'
import { DataDirectory } from './data-directory.ts'
import { Inventory } from './inventory.ts'

/** What opening the inventory needs. */
export type InventoryNeeds = {
  readonly store: ObjectStore
  readonly dataPath: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: Log
}

/** Opens it; it follows the changes of the data directory until it is closed. */
export async function openInventory(
  { store, dataPath, now, log }: InventoryNeeds,
  parts: Parts,
): Promise<Inventory> {
  const inventory = await Inventory.open(store, now, log)
  const directory = new DataDirectory(dataPath, changes => inventory.directoryChanged(changes))
  parts.add('the data directory', directory)
  inventory.addDirectory(directory)
  return inventory
}
