// The `network` of a site file: subnet, gateway, pool, and what follows from them.

import { formatIpv4, isHostOf, parseIpv4, parseSubnet, type Ipv4Network } from '#model/ipv4.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { Path, YamlReader } from './document.ts'

const inNetwork = (key: string): Path => ['network', key]

/** Reads `network`, and gives its subnet as numbers too where that is readable. */
export function readNetwork(reader: YamlReader): {
  network: ProvisioningNetwork
  subnet: Ipv4Network | undefined
} {
  if (!reader.has(['network'])) {
    reader.complain('PL-1003', ['network'], 'missing', 'write  network: { subnet: 10.20.0.0/24 }')
  } else reader.expectKeys(['network'], ['subnet', 'gateway', 'dhcp', 'pool', 'dns'])
  const subnetText = reader.has(['network'])
    ? reader.requiredText(
        inNetwork('subnet'),
        'give the provisioning network, for example  subnet: 10.20.0.0/24',
      )
    : undefined
  const subnet = subnetText === undefined ? undefined : expectNetwork(reader, inNetwork('subnet'), subnetText)
  const host = (number: number) => (subnet ? formatIpv4(subnet.first + number) : '0.0.0.0')
  const gateway = readHost(reader, inNetwork('gateway'), subnet) ?? host(1)
  const dhcp = reader.text(inNetwork('dhcp')) ?? 'full'
  if (dhcp !== 'full' && dhcp !== 'proxy' && dhcp !== 'off') {
    const remedy = 'full: we give addresses; proxy: another DHCP server does; off: no DHCP from us'
    reader.complain('PL-1004', inNetwork('dhcp'), `"${dhcp}" is none of full, proxy, off`, remedy)
  }
  const pool = readPool(reader, inNetwork('pool'), subnet) ?? defaultPool(subnet)
  const dns = reader.has(inNetwork('dns')) ? readList(reader, inNetwork('dns'), subnet) : [gateway]
  const network = { subnet: subnetText ?? '', gateway, dhcp: dhcp as ProvisioningNetwork['dhcp'], pool, dns }
  return { network, subnet }
}

function readList(reader: YamlReader, path: Path, subnet: Ipv4Network | undefined): string[] {
  const count = reader.length(path, 'write it as  [10.20.0.1]')
  return Array.from({ length: count }, (_, index) => reader.text([...path, index]) ?? '').map(
    (text, index) => {
      if (parseIpv4(text) === undefined) complainAddress(reader, [...path, index], text, subnet)
      return text
    },
  )
}

function readPool(reader: YamlReader, path: Path, subnet: Ipv4Network | undefined) {
  const text = reader.text(path)
  if (text === undefined) return undefined
  const [first, last] = text.split('-').map(part => part.trim())
  const [from, to] = [parseIpv4(first ?? ''), parseIpv4(last ?? '')]
  const inside = from !== undefined && to !== undefined && from <= to
  if (!inside || (subnet && !(isHostOf(subnet, from) && isHostOf(subnet, to)))) {
    const remedy = 'write two addresses of the subnet, lower first, for example 10.20.0.100-10.20.0.199'
    reader.complain('PL-1004', path, `"${text}" is not a range of the network`, remedy)
    return undefined
  }
  return { first: formatIpv4(from), last: formatIpv4(to) }
}

/** The network that `text` names, or a complaint. */
export function expectNetwork(reader: YamlReader, path: Path, text: string): Ipv4Network | undefined {
  const network = parseSubnet(text)
  if (network === undefined) {
    const remedy = 'write address/bits with the host bits zero, /8 to /30, for example 10.20.0.0/24'
    reader.complain('PL-1004', path, `"${text}" is not an IPv4 network`, remedy)
  }
  return network
}

/** The address at `path`, which must be one that a machine of `subnet` may have. */
export function readHost(
  reader: YamlReader,
  path: Path,
  subnet: Ipv4Network | undefined,
): string | undefined {
  const text = reader.text(path)
  if (text === undefined) return undefined
  const address = parseIpv4(text)
  if (address === undefined || (subnet && !isHostOf(subnet, address))) {
    complainAddress(reader, path, text, subnet)
    return undefined
  }
  return text
}

function complainAddress(
  reader: YamlReader,
  path: Path,
  text: string,
  subnet: Ipv4Network | undefined,
): void {
  const range = subnet && `${formatIpv4(subnet.first + 1)} to ${formatIpv4(subnet.last - 1)}`
  const remedy = range ? `give one of ${range}` : 'write four numbers, for example 10.20.0.11'
  reader.complain('PL-1004', path, `"${text}" is not an address of the network`, remedy)
}

/** Hosts 100 to 199; of a subnet too small for them, its upper half. */
function defaultPool(subnet: Ipv4Network | undefined): { first: string; last: string } {
  const { first = 0, last = 255 } = subnet ?? {}
  const [from, to] =
    last - first >= 255 ? [first + 100, first + 199] : [first + Math.ceil((last - first) / 2), last - 1]
  return { first: formatIpv4(from), last: formatIpv4(to) }
}
