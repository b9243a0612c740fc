// The machine that a route names.

import type { Machine } from '#model/machine.ts'
import { NotFound } from '../../../errors.ts'
import type { Catalog } from '../../../inventory/catalog.ts'

/**
 * The declared machine with a name.
 *
 * @throws {NotFound} 404
 */
export function machineNamed(catalog: Catalog, name: string): Machine {
  const machine = catalog.machine({ name })
  if (machine === undefined) throw new NotFound('machine', name, `'pilotlight get machines' lists all.`)
  return machine
}
