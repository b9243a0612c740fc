// The `cluster` of a site file: which Kubernetes, and its networks as far as Kubernetes can use them.

import { DEFAULT_KUBERNETES } from '#images/references.ts'
import { kubernetesOfImages } from '#images/locked-kubernetes.ts'
import { contains, overlap, type Ipv4Network } from '#model/ipv4.ts'
import type { Machine } from '#model/machine.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { Path, YamlReader } from './document.ts'
import { readCidr } from './read-network.ts'
import { externalCidrPath } from './read-openstack.ts'
import { controlPlaneAddress, type ClusterSettings, type OpenstackSettings } from './site.ts'
import { SITE_KEYS } from './site-keys.ts'

const at = (key: string): Path => ['cluster', key]
const DEFAULT_POD_CIDR = '10.2.0.0/16'
const DEFAULT_SERVICE_CIDR = '10.3.0.0/24'
/** The part of the pod network that each node gets, in bits: `--node-cidr-mask-size` of the controller manager, by default. */
const NODE_BITS = 24
/** The API server takes no service network of more than 20 bits for hosts; the cluster's DNS has the tenth address. */
const SERVICE_BITS = { least: 12, most: 28 } as const

/**
 * Services with an address that each part of a cloud has: of the charts of Pilotlight counted, of those of openstack-helm, which
 * follow their values, enough for all of them. Kubernetes has two of its own, its API and its DNS.
 */
const SERVICES = {
  kubernetes: 2,
  'compute-kit': 11,
  'openstack-helm': 40,
  heat: 2,
  cinder: 1,
  magnum: 1,
} as const

/** What the rest of the file says, which the cluster's networks must fit. */
export type AroundCluster = {
  readonly network: ProvisioningNetwork
  readonly subnet: Ipv4Network | undefined
  readonly machines: readonly Machine[]
  readonly openstack: OpenstackSettings
  readonly external: Ipv4Network | undefined
}

/** Reads `cluster`; what the file leaves out has defaults, which are checked as well. */
export function readCluster(reader: YamlReader, around: AroundCluster): ClusterSettings {
  const { network, subnet, machines, openstack, external } = around
  if (reader.has(['cluster'])) reader.expectKeys(['cluster'], Object.keys(SITE_KEYS.cluster.keys))
  const kubernetes = readVersion(reader)
  if (reader.has(at('apiVip'))) {
    const remedy = 'leave it out: with one controller the API is served at its address'
    reader.complain('PL-1009', at('apiVip'), 'a shared API address is not built yet', remedy)
  }
  const { text: podCidr, network: pods } = readCidr(reader, at('podCidr'), DEFAULT_POD_CIDR)
  const { text: serviceCidr, network: services } = readCidr(reader, at('serviceCidr'), DEFAULT_SERVICE_CIDR)
  expectRoomForNodes(reader, podCidr, pods, machines.length)
  expectServiceSize(reader, serviceCidr, services, openstack)
  const networks: readonly Named[] = [
    { path: ['network', 'subnet'], text: network.subnet, network: subnet },
    { path: at('podCidr'), text: podCidr, network: pods },
    { path: at('serviceCidr'), text: serviceCidr, network: services },
    { path: externalCidrPath, text: openstack.external.cidr, network: external },
  ]
  expectApart(reader, networks)
  // With an interface the external network is outside the machines, and may have DNS servers of its own.
  const isInside = openstack.external.interface === undefined
  const elsewhere = networks.slice(1, isInside ? 4 : 3)
  expectServersOutside(reader, 'dns', network.dns, elsewhere)
  expectServersOutside(reader, 'ntp', network.ntp ?? [], elsewhere)
  return {
    kubernetes,
    podCidr,
    serviceCidr,
    apiAddress: controlPlaneAddress(machines),
    openToPods: readPorts(reader, at('openToPods')),
  }
}

/** A network with its place in the file, and as it is written. */
type Named = { readonly path: Path; readonly text: string; readonly network: Ipv4Network | undefined }

function readVersion(reader: YamlReader): string {
  const version = reader.text(at('kubernetes')) ?? DEFAULT_KUBERNETES
  const built = kubernetesOfImages()
  if (!/^1\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)$/.test(version)) {
    const remedy = `write it whole, for example ${DEFAULT_KUBERNETES}`
    reader.complain('PL-1004', at('kubernetes'), `"${version}" is not a version`, remedy)
  } else if (!built.includes(version)) {
    const what = `no image has Kubernetes ${version}: there is ${built.join(', ')}`
    const other = `to build it:  npm run lock -- kubernetes ${version}  and  pilotlight images build --kubernetes ${version}`
    reader.complain('PL-1004', at('kubernetes'), what, `leave it out, or write ${built[0]}; ${other}`)
  }
  return version
}

/** The controller manager gives each node its part of the pod network, and a node without one never becomes Ready. */
function expectRoomForNodes(
  reader: YamlReader,
  text: string,
  pods: Ipv4Network | undefined,
  nodes: number,
): void {
  const needed = NODE_BITS - Math.ceil(Math.log2(Math.max(1, nodes)))
  if (pods === undefined || pods.bits <= needed) return
  const room = pods.bits > NODE_BITS ? 'no node' : count(2 ** (NODE_BITS - pods.bits), 'node')
  const what = `${text} has room for ${room}, and there ${nodes === 1 ? 'is' : 'are'} ${count(nodes, 'machine')}: each takes a /${NODE_BITS}`
  const remedy = `${count(nodes, 'machine')} ${nodes === 1 ? 'needs' : 'need'} a /${needed} or larger, for example 10.2.0.0/${Math.min(16, needed)}`
  reader.complain('PL-1004', at('podCidr'), what, remedy)
}

function expectServiceSize(
  reader: YamlReader,
  text: string,
  services: Ipv4Network | undefined,
  { plan, waves }: OpenstackSettings,
): void {
  if (services === undefined) return
  const count = servicesOf({ plan, waves })
  // The API server gives those between the first and the last.
  const most = Math.min(SERVICE_BITS.most, 32 - Math.ceil(Math.log2(count + 2)))
  const { least } = SERVICE_BITS
  if (services.bits >= least && services.bits <= most) return
  const why =
    services.bits < least
      ? "is larger than Kubernetes' API server takes"
      : services.bits > SERVICE_BITS.most
        ? "has no tenth address, which is that of the cluster's DNS"
        : `has room for ${2 ** (32 - services.bits) - 2} services, and this plan has up to ${count}`
  const remedy = `write a network of /${least} to /${most}, for example ${DEFAULT_SERVICE_CIDR}`
  reader.complain('PL-1004', at('serviceCidr'), `${text} ${why}`, remedy)
}

/** How many services with an address a cloud of this plan has in its cluster. */
export function servicesOf({ plan, waves }: Pick<OpenstackSettings, 'plan' | 'waves'>): number {
  return [plan, ...waves].reduce<number>((sum, part) => sum + SERVICES[part], SERVICES.kubernetes)
}

function expectApart(reader: YamlReader, networks: readonly Named[]): void {
  for (const [index, one] of networks.entries()) {
    for (const other of networks.slice(index + 1)) {
      if (!one.network || !other.network || !overlap(one.network, other.network)) continue
      const [blamed, innocent] = reader.has(other.path) ? [other, one] : [one, other]
      const what = `${blamed.text} overlaps ${innocent.path.join('.')} ${innocent.text}`
      const given = reader.has(innocent.path)
        ? ''
        : `; ${innocent.text} is the default, and may be changed there`
      const remedy = `machines, pods, services and floating IPs each need their own network${given}`
      reader.complain('PL-1006', blamed.path, what, remedy)
    }
  }
}

/** Nodes send what is for pods and services to the cluster, so a DNS server among them is never reached. */
function expectServersOutside(
  reader: YamlReader,
  key: 'dns' | 'ntp',
  servers: readonly string[],
  networks: readonly Named[],
): void {
  const kind = key === 'dns' ? 'DNS server' : 'time server'
  for (const [index, address] of servers.entries())
    for (const { path, text, network } of networks) {
      if (network === undefined || !contains(text, address)) continue
      const what = `${address} is an address of ${path.join('.')} ${text}, so no node reaches a ${kind} there`
      const remedy = `give a ${kind} outside the cluster's networks, or choose another ${path.join('.')}`
      if (reader.has(['network', key])) reader.complain('PL-1006', ['network', key, index], what, remedy)
    }
}

function readPorts(reader: YamlReader, path: Path): number[] {
  if (!reader.has(path)) return []
  const length = reader.length(path, 'write it as  [9100]')
  const texts = Array.from({ length }, (_, index) => reader.text([...path, index]) ?? '')
  for (const [index, text] of texts.entries()) {
    if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65535) continue
    const remedy = 'write a number from 1 to 65535'
    reader.complain('PL-1004', [...path, index], `"${text}" is not a TCP port`, remedy)
  }
  return [...new Set(texts.map(Number))]
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
