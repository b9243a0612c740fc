// The lab's small rack, as its file compiles: one controller, one compute machine.

import { join } from 'node:path'
import { readSiteFile } from '#rack/site/read.ts'
import type { Site } from '#rack/site/site.ts'

/** The site of lab/racks/small. */
export const smallSite = await readSiteFile(join(import.meta.dirname, '../lab/racks/small/site.yaml'))

/** The machine of that name. */
export function machineNamed(site: Site, name: string) {
  const machine = site.machines.find(machine => machine.name === name)
  if (machine === undefined) throw new Error(`no machine ${name} in the test's site`)
  return machine
}

/** The small rack with a third machine. */
export function withMachine(site: Site, name: string, address: string): Site {
  const machine = { name, macs: ['52:54:00:20:00:03'], role: 'compute', address, labels: {} } as const
  return { ...site, machines: [...site.machines, machine] }
}
