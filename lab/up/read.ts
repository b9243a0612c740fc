// What `pilotlight lab up` is asked for, and the files that say the rest: all is read and checked before anything is started.

import { Failure } from '#model/error.ts'
import { checkDataDirectory } from '#rack/site/check-data.ts'
import { readSiteFile } from '#rack/site/read.ts'
import type { Site } from '#rack/site/site.ts'
import { expectSite, LAB_NAME, LAB_NAME_WORDS, readRack, type Rack, type RackMachine } from '../rack.ts'

/** What the flags of `lab up` say. */
export type LabUp = {
  readonly rackFile: string
  readonly root: string
  readonly keep: boolean
  readonly lab?: string
  readonly driver?: string
  readonly until: string
}

/**
 * The rack, and its site where it has one.
 *
 * @throws {Failure} BAD_OPTION for a flag
 * @throws {FileProblems} with every mistake of a file
 */
export async function readLab(options: LabUp): Promise<{ rack: Rack; site: Site | undefined }> {
  if (!['boot', 'cluster', 'openstack'].includes(options.until)) {
    throw new Failure(
      'BAD_OPTION',
      `--until ${options.until} is not a stage`,
      'give boot, cluster or openstack',
    )
  }
  const { driver, lab: name } = options
  if (driver !== undefined && !isDriver(driver)) {
    throw new Failure('BAD_OPTION', `--driver ${driver} is unknown`, 'give container or qemu')
  }
  if (name !== undefined && !LAB_NAME.test(name))
    throw new Failure('BAD_OPTION', `--lab "${name}" is not a name for a lab`, `give ${LAB_NAME_WORDS}`)
  const read = await readRack(options.rackFile)
  const site = read.site === undefined ? undefined : await readSiteFile(read.site)
  if (site !== undefined) {
    await expectSite(options.rackFile, site)
    await checkDataDirectory(site, read.data ?? options.root)
  }
  const machines = read.machines.map(machine => (isDriver(driver) ? { ...machine, driver } : machine))
  return { rack: { ...read, machines, ...(name === undefined ? {} : { name }) }, site }
}

function isDriver(text: string | undefined): text is RackMachine['driver'] {
  return text === 'container' || text === 'qemu'
}
