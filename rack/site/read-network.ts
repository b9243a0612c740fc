// The `network` of a site file: subnet, gateway, pool, and what follows from them.

import { isIPv6 } from 'node:net'
import {
  formatIpv4,
  type Ipv4Network,
  isBetween,
  isHostOf,
  networkAround,
  parseIpv4,
  parseSubnet,
  reservedRange,
} from '#model/ipv4.ts'
import { isHostName } from '#model/host-name.ts'
import { MOST_NTP, type ProvisioningNetwork } from '#model/network.ts'
import type { Path, YamlReader } from './document.ts'
import { SITE_KEYS } from './site-keys.ts'

const inNetwork = (key: string): Path => ['network', key]

const NO_NETWORK = { text: '', network: undefined }
/** Servers that a resolver of Linux asks (MAXNS of resolv.conf(5)), and the kubelet gives to a pod. */
const MOST_DNS = 3

/**
 * Reads `network`, and gives its subnet as numbers too where that is readable. A pool that the file leaves out has none of the
 * addresses `avoid`.
 */
export function readNetwork(
  reader: YamlReader,
  avoid: readonly string[],
): {
  network: ProvisioningNetwork
  subnet: Ipv4Network | undefined
} {
  if (!reader.has(['network'])) {
    reader.complain('PL-1003', ['network'], 'missing', 'write  network: { subnet: 10.20.0.0/24 }')
  } else reader.expectKeys(['network'], Object.keys(SITE_KEYS.network.keys))
  if (reader.isMap(['network']) && !reader.has(inNetwork('subnet'))) {
    const remedy = 'give the provisioning network, for example  subnet: 10.20.0.0/24'
    reader.complain('PL-1003', inNetwork('subnet'), 'missing', remedy)
  }
  const { text: subnetText, network: subnet } = reader.has(inNetwork('subnet'))
    ? readCidr(reader, inNetwork('subnet'), '')
    : NO_NETWORK
  const host = (number: number) => (subnet ? formatIpv4(subnet.first + number) : '0.0.0.0')
  const gateway = readHost(reader, inNetwork('gateway'), subnet) ?? host(1)
  const dhcp = reader.text(inNetwork('dhcp')) ?? 'full'
  if (dhcp !== 'full' && dhcp !== 'proxy' && dhcp !== 'off') {
    const remedy = 'full: we give addresses; proxy: another DHCP server does; off: no DHCP from us'
    reader.complain('PL-1004', inNetwork('dhcp'), `"${dhcp}" is none of full, proxy, off`, remedy)
  }
  const dns = reader.has(inNetwork('dns')) ? readDns(reader, inNetwork('dns'), subnet) : [gateway]
  const ntp = reader.has(inNetwork('ntp')) ? readNtp(reader, inNetwork('ntp'), subnet) : undefined
  const kept = [gateway, ...dns, ...(ntp ?? [])]
  const pool = readPool(reader, inNetwork('pool'), subnet) ?? defaultPool(subnet, [...kept, ...avoid])
  if (dhcp === 'full' && reader.has(inNetwork('pool')))
    expectOutsidePool(reader, pool, { gateway, dns, ntp: ntp ?? [] })
  const network = {
    subnet: subnetText,
    gateway,
    dhcp: dhcp as ProvisioningNetwork['dhcp'],
    pool,
    dns,
    ...(ntp === undefined ? {} : { ntp }),
  }
  return { network, subnet }
}

function readDns(reader: YamlReader, path: Path, subnet: Ipv4Network | undefined): string[] {
  const texts = readServers(reader, path, subnet, 'DNS server')
  if (texts.length > MOST_DNS) {
    const what = `${texts.length} DNS servers, and machines and pods use the first ${MOST_DNS} of them`
    reader.complain('PL-1004', [...path, MOST_DNS], what, `keep ${MOST_DNS}`)
  }
  return texts
}

function readNtp(reader: YamlReader, path: Path, subnet: Ipv4Network | undefined): string[] {
  const texts = readServers(reader, path, subnet, 'time server')
  if (reader.isList(path) && texts.length === 0) {
    const remedy = 'name one, for example  ntp: [10.20.0.1] , or leave the key out'
    reader.complain('PL-1004', path, 'is empty', remedy)
  } else if (texts.length > MOST_NTP) {
    const what = `${texts.length} time servers, and a machine needs few`
    reader.complain('PL-1004', [...path, MOST_NTP], what, `keep ${MOST_NTP}`)
  }
  return texts
}

/** The addresses of a list of servers that machines ask; of more than a few only the first ones are looked at. */
function readServers(
  reader: YamlReader,
  path: Path,
  subnet: Ipv4Network | undefined,
  kind: 'DNS server' | 'time server',
): string[] {
  const count = reader.length(path, 'write it as  [10.20.0.1]')
  const texts = Array.from({ length: count }, (_, index) => reader.text([...path, index]))
  for (const [index, text] of texts.slice(0, MOST_LOOKED_AT).entries()) {
    if (text === undefined) continue // which text() complained of
    const address = parseIpv4(text)
    const reserved = address === undefined ? undefined : reservedRange(address)
    const remedy = `give the address of a ${kind} that the machines can reach, for example 10.20.0.1`
    if (address === undefined && kind === 'time server' && isName(text)) {
      const what = `"${text}" is a name, and DHCP names time servers by their addresses (RFC 2132, option 42)`
      reader.complain('PL-1004', [...path, index], what, `give the address:  getent ahostsv4 ${text}`)
    } else if (address === undefined) complainAddress(reader, [...path, index], text, undefined)
    else if (reserved !== undefined) {
      const what = `${text} cannot be a ${kind}: ${reserved}`
      reader.complain('PL-1004', [...path, index], what, remedy)
    } else if (subnet && address >= subnet.first && address <= subnet.last && !isHostOf(subnet, address)) {
      const what = `${text} is the ${address === subnet.first ? 'network' : 'broadcast'} address of the subnet`
      reader.complain('PL-1004', [...path, index], what, remedy)
    } else if (texts.indexOf(text) < index) {
      reader.complain('PL-1007', [...path, index], `${text} is written twice`, 'keep one of them')
    }
  }
  return texts.map(text => text ?? '')
}

const MOST_LOOKED_AT = 5

/** Says whether a text could be the name of a host, and not an address that was written wrongly. */
function isName(text: string): boolean {
  return /[a-z]/i.test(text) && isHostName(text.toLowerCase())
}

/** A pool gives its addresses to machines: those of the gateway and of DNS servers must not be among them. */
function expectOutsidePool(
  reader: YamlReader,
  { first, last }: ProvisioningNetwork['pool'],
  { gateway, dns, ntp }: Required<Pick<ProvisioningNetwork, 'gateway' | 'dns' | 'ntp'>>,
): void {
  const [low, high] = [parseIpv4(first) ?? 0, parseIpv4(last) ?? 0]
  const owners = [
    [gateway, 'gateway'] as const,
    ...dns.map(it => [it, 'DNS server'] as const),
    ...ntp.map(it => [it, 'time server'] as const),
  ]
  const owned = owners.find(([address]) => isBetween(parseIpv4(address), low, high))
  if (owned === undefined) return
  const [address, owner] = owned
  const what = `${first}-${last} contains ${address}, the ${owner}`
  reader.complain('PL-1007', inNetwork('pool'), what, `choose a range without ${address}`)
}

function readPool(reader: YamlReader, path: Path, subnet: Ipv4Network | undefined) {
  const remedy = 'write two addresses of the subnet, lower first, for example 10.20.0.100-10.20.0.199'
  if (reader.isList(path) || reader.isMap(path)) {
    reader.complain('PL-1004', path, 'must be a text', remedy)
    return undefined
  }
  const text = reader.text(path)
  if (text === undefined) return undefined
  const [first, last, ...more] = text.split('-').map(part => parseIpv4(part.trim()))
  const [from, to] = more.length === 0 ? [first, last] : []
  const inside = from !== undefined && to !== undefined && from <= to
  if (!inside || (subnet && !(isHostOf(subnet, from) && isHostOf(subnet, to)))) {
    reader.complain('PL-1004', path, `"${text}" is not a range of the network`, remedy)
    return undefined
  }
  return { first: formatIpv4(from), last: formatIpv4(to) }
}

/** The network at `path`, or `usual` where the file has none: as it is written, and as numbers where it is one. */
export function readCidr(
  reader: YamlReader,
  path: Path,
  usual: string,
): { readonly text: string; readonly network: Ipv4Network | undefined } {
  if (reader.isList(path)) {
    const texts = [reader.plain(path)].flat().map(String)
    const isSixth = texts.some(text => text.includes(':'))
    if (isSixth) complainOfIpv6(reader, path, texts.join(','))
    else
      reader.complain(
        'PL-1004',
        path,
        'is a list, and one network is taken',
        `write  ${path.at(-1)}: ${texts[0] ?? usual}`,
      )
    return { text: usual, network: undefined }
  }
  const given = reader.text(path)
  if (given === undefined && reader.has(path)) return { text: usual, network: undefined } // which text() complained of
  const text = given ?? usual
  return { text, network: expectNetwork(reader, path, text) }
}

/** One code and one remedy for every form of IPv6: alone, beside IPv4, in brackets, mapped, in a list. */
function complainOfIpv6(reader: YamlReader, path: Path, text: string): void {
  const what = `"${text}": IPv6 and dual stack are not built yet`
  const isNetwork = /cidr|subnet/i.test(String(path.at(-1)))
  const remedy = `write one IPv4 ${isNetwork ? 'network, for example 10.20.0.0/24' : 'address, for example 10.20.0.11'}`
  reader.complain('PL-1009', path, what, remedy)
}

/** The network that `text` names, or a complaint. */
function expectNetwork(reader: YamlReader, path: Path, text: string): Ipv4Network | undefined {
  const network = parseSubnet(text)
  const reserved = network && reservedRange(network)
  if (network !== undefined && reserved === undefined) return network
  if (text.includes(':')) complainOfIpv6(reader, path, text)
  else if (reserved !== undefined) {
    const what = `${text} cannot be used: ${reserved}`
    reader.complain('PL-1004', path, what, 'choose a private network, for example 10.20.0.0/24')
  } else {
    const around = networkAround(text)
    const meant =
      around && around.bits >= 8 && around.bits <= 30 ? `${formatIpv4(around.first)}/${around.bits}` : ''
    const remedy =
      meant === ''
        ? 'write address/bits with the host bits zero, /8 to /30, for example 10.20.0.0/24'
        : `its host bits must be zero: write ${meant}`
    reader.complain('PL-1004', path, `"${text}" is not an IPv4 network`, remedy)
  }
  return undefined
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
  if (text.includes(':') && isIPv6(text.replace(/^\[|\].*$|\/.*$/g, '')))
    return complainOfIpv6(reader, path, text)
  const range = subnet && `${formatIpv4(subnet.first + 1)} to ${formatIpv4(subnet.last - 1)}`
  const remedy = range ? `give one of ${range}` : 'write four numbers, for example 10.20.0.11'
  const what = `"${text}" is not an ${subnet ? 'address of the network' : 'IPv4 address'}`
  reader.complain('PL-1004', path, what, remedy)
}

/**
 * Hosts 100 to 199; of a subnet too small for them, its upper half. Where an address of `taken` is among them, the longest
 * part without one.
 */
function defaultPool(
  subnet: Ipv4Network | undefined,
  taken: readonly string[],
): { first: string; last: string } {
  const { first = 0, last = 255 } = subnet ?? {}
  const [from, to] =
    last - first >= 255 ? [first + 100, first + 199] : [first + Math.ceil((last - first) / 2), last - 1]
  const inside = taken.map(it => parseIpv4(it) ?? -1).filter(it => it >= from && it <= to)
  const borders = [from - 1, ...inside.toSorted((a, b) => a - b), to + 1]
  const parts = borders.slice(1).map((border, at) => [(borders[at] ?? 0) + 1, border - 1] as const)
  const [low, high] = parts.reduce((best, part) => (part[1] - part[0] > best[1] - best[0] ? part : best))
  return low <= high
    ? { first: formatIpv4(low), last: formatIpv4(high) }
    : { first: formatIpv4(from), last: formatIpv4(to) }
}
