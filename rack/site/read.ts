// Reads a site file: text to a checked Site with every default filled in, or all of its mistakes at once.

import { readFile } from 'node:fs/promises'
import { DEFAULT_KUBERNETES } from '#images/references.ts'
import { overlap, type Ipv4Network } from '#model/ipv4.ts'
import type { Machine } from '#model/machine.ts'
import { YamlReader, type Path } from './document.ts'
import { FileProblems } from './problems.ts'
import { expectHostName, readMachines } from './read-machines.ts'
import { expectNetwork, readNetwork } from './read-network.ts'
import { externalCidrPath, readOpenstack } from './read-openstack.ts'
import { readTrust } from './read-trust.ts'
import { controlPlaneAddress, type ClusterSettings, type OpenstackSettings, type Site } from './site.ts'

const inCluster = (key: string): Path => ['cluster', key]
const DEFAULT_POD_CIDR = '10.2.0.0/16'
const DEFAULT_SERVICE_CIDR = '10.3.0.0/24'

/**
 * Reads and checks the site file at `path`.
 *
 * @throws {FileProblems} with every mistake found, or when the file cannot be read
 */
export async function readSiteFile(path: string): Promise<Site> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const what = `cannot be read: ${error.code ?? error.message}`
    const remedy = 'give the path of a site file; lab/racks/small/site.yaml is one to start from'
    throw new FileProblems([{ code: 'PL-1008', file: path, line: 1, column: 1, what, remedy }])
  })
  return parseSite(path, text)
}

/**
 * Checks the text of a site file and fills in what it leaves out.
 *
 * @throws {FileProblems} with every mistake found
 */
export function parseSite(file: string, text: string): Site {
  const reader = new YamlReader(file, text)
  if (!reader.expectKeys([], ['name', 'network', 'machines', 'trust', 'cluster', 'openstack']))
    reader.finish()
  const name = readName(reader)
  const { network, subnet } = readNetwork(reader)
  const machines = readMachines(reader, subnet, network)
  const trust = readTrust(reader)
  const { openstack, external } = readOpenstack(reader)
  const cluster = readCluster(reader, { subnet, machines, openstack, external })
  reader.finish()
  return { name, network, machines, trust, cluster, openstack }
}

function readName(reader: YamlReader): string {
  const name = reader.requiredText(['name'], 'name the rack, for example  name: rack-1') ?? ''
  if (name !== '') expectHostName(reader, ['name'], name)
  return name
}

function readCluster(
  reader: YamlReader,
  around: {
    subnet: Ipv4Network | undefined
    machines: readonly Machine[]
    openstack: OpenstackSettings
    external: Ipv4Network | undefined
  },
): ClusterSettings {
  const { subnet, machines, openstack, external } = around
  if (reader.has(['cluster']))
    reader.expectKeys(['cluster'], ['kubernetes', 'podCidr', 'serviceCidr', 'apiVip', 'openToPods'])
  const kubernetes = reader.text(inCluster('kubernetes')) ?? DEFAULT_KUBERNETES
  if (!/^1\.\d+\.\d+$/.test(kubernetes)) {
    reader.complain(
      'PL-1004',
      inCluster('kubernetes'),
      `"${kubernetes}" is not a version`,
      'write it whole, for example 1.36.3',
    )
  }
  if (reader.has(inCluster('apiVip'))) {
    const remedy = 'leave it out: with one controller the API is served at its address'
    reader.complain('PL-1009', inCluster('apiVip'), 'a shared API address is not built yet', remedy)
  }
  const podCidr = reader.text(inCluster('podCidr')) ?? DEFAULT_POD_CIDR
  const serviceCidr = reader.text(inCluster('serviceCidr')) ?? DEFAULT_SERVICE_CIDR
  const networks: { path: Path; text: string; network: Ipv4Network | undefined }[] = [
    { path: ['network', 'subnet'], text: reader.text(['network', 'subnet']) ?? '', network: subnet },
    {
      path: inCluster('podCidr'),
      text: podCidr,
      network: expectNetwork(reader, inCluster('podCidr'), podCidr),
    },
    {
      path: inCluster('serviceCidr'),
      text: serviceCidr,
      network: expectNetwork(reader, inCluster('serviceCidr'), serviceCidr),
    },
    { path: externalCidrPath, text: openstack.external.cidr, network: external },
  ]
  expectApart(reader, networks)
  return {
    kubernetes,
    podCidr,
    serviceCidr,
    apiAddress: controlPlaneAddress(machines),
    openToPods: readPorts(reader, inCluster('openToPods')),
  }
}

function readPorts(reader: YamlReader, path: Path): number[] {
  if (!reader.has(path)) return []
  const count = reader.length(path, 'write it as  [9100]')
  const texts = Array.from({ length: count }, (_, index) => reader.text([...path, index]) ?? '')
  for (const [index, text] of texts.entries()) {
    if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535) continue
    reader.complain(
      'PL-1004',
      [...path, index],
      `"${text}" is not a TCP port`,
      'write a number from 1 to 65535',
    )
  }
  return [...new Set(texts.map(Number))]
}

function expectApart(
  reader: YamlReader,
  networks: readonly { path: Path; text: string; network: Ipv4Network | undefined }[],
): void {
  for (const [index, one] of networks.entries()) {
    for (const other of networks.slice(index + 1)) {
      if (!one.network || !other.network || !overlap(one.network, other.network)) continue
      const [blamed, innocent] = reader.has(other.path) ? [other, one] : [one, other]
      const what = `${blamed.text} overlaps ${innocent.path.join('.')} ${innocent.text}`
      reader.complain(
        'PL-1006',
        blamed.path,
        what,
        'machines, pods, services and floating IPs each need their own network',
      )
    }
  }
}
