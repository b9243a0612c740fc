// Reads a site file: text to a checked Site with every default filled in, or all of its mistakes at once.

import { readFile } from 'node:fs/promises'
import { reasonOf } from '#model/reason.ts'
import { YamlReader } from './document.ts'
import { avoidedAddresses, refuseOtherSite } from './kept-of-site.ts'
import { FileProblems } from './problems.ts'
import { expectHostName, readMachines } from './read-machines.ts'
import { readAccess } from './read-access.ts'
import { readCluster } from './read-cluster.ts'
import { readNetwork } from './read-network.ts'
import { readOpenstack } from './read-openstack.ts'
import { readTrust } from './read-trust.ts'
import type { Site } from './site.ts'
import { SITE_KEYS } from './site-keys.ts'

/**
 * Reads and checks the site file at `path`.
 *
 * @param state the state directory of the site, which knows addresses of the server that are not to be chosen, and its site
 * @throws {FileProblems} with every mistake found, or when the file cannot be read
 * @throws {Failure} OTHER_SITE when `state` is that of another site
 */
export async function readSiteFile(path: string, state?: string): Promise<Site> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const what = `cannot be read: ${reasonOf(error)}`
    const remedy = 'give the path of a site file; lab/racks/small/site.yaml is one to start from'
    throw new FileProblems([{ code: 'PL-1008', file: path, line: 1, column: 1, what, remedy }])
  })
  if (state === undefined) return parseSite(path, text)
  const site = parseSite(path, text, await avoidedAddresses(state))
  await refuseOtherSite(state, site.name)
  return site
}

/**
 * Checks the text of a site file and fills in what it leaves out.
 *
 * @param avoid addresses that are not chosen where the file leaves one out
 * @throws {FileProblems} with every mistake found
 */
export function parseSite(file: string, text: string, avoid: readonly string[] = []): Site {
  const reader = new YamlReader(file, text)
  if (!reader.expectKeys([], Object.keys(SITE_KEYS))) reader.finish()
  const name = readName(reader)
  const { network, subnet } = readNetwork(reader, avoid)
  const machines = readMachines(reader, subnet, network, avoid)
  const trust = readTrust(reader)
  const access = readAccess(reader)
  const { openstack, external } = readOpenstack(reader)
  const cluster = readCluster(reader, { network, subnet, machines, openstack, external })
  reader.finish()
  const chosen = {
    machines: machines
      .filter((_, index) => !reader.has(['machines', index, 'address']))
      .map(machine => machine.name),
    pool: !reader.has(['network', 'pool']),
    gateway: !reader.has(['network', 'gateway']),
  }
  return { name, network, machines, trust, access, cluster, openstack, chosen }
}

function readName(reader: YamlReader): string {
  const name = reader.requiredText(['name'], 'name the rack, for example  name: rack-1')
  if (name !== undefined) expectHostName(reader, ['name'], name)
  return name ?? ''
}
