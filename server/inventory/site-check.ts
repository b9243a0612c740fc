// What a site must not have where this server is: its own addresses. And what this server's DHCP will not do for the site.

import { formatIpv4, isHostOf, networkAround, parseIpv4 } from '#model/ipv4.ts'
import type { SiteObjects } from '#model/site.ts'
import { ServerAddressTaken } from '../errors.ts'

/** Where the server is. */
export type ServerPlace = {
  /** The IPv4 address that it was told to listen on; `0.0.0.0` is all of them. */
  readonly address: string
  /** All IPv4 addresses of its host but loopback. */
  readonly addresses: readonly string[]
  /** Whether it serves DHCP at all. */
  readonly dhcp: boolean
  /** Whether its host forwards packets; undefined where that is not known. */
  readonly forwards: boolean | undefined
}

/**
 * Refuses a site that gives away an address which the server's host has: the machine would never get it (RFC 2131 §4.3.1), or
 * two hosts would have it.
 *
 * @throws {ServerAddressTaken}
 */
export function refuseServerAddresses(name: string, site: SiteObjects, { addresses }: ServerPlace): void {
  const own = new Set(addresses)
  const { network, machines, chosen } = site
  for (const machine of machines) {
    if (!own.has(machine.address)) continue
    const what = `machine ${machine.name} of site ${name} has ${machine.address}`
    const whose =
      chosen === undefined
        ? ''
        : chosen.machines.includes(machine.name)
          ? ' (chosen by Pilotlight)'
          : ' (in the site file)'
    const free = freeAddress(site, own)
    const example = free === undefined ? '' : `, for example  address: ${free}`
    throw new ServerAddressTaken(
      `${what}${whose}`,
      `Give the machine another address in the site file${example}`,
    )
  }
  if (network.dhcp !== 'full') return
  const [first, last] = [parseIpv4(network.pool.first) ?? NaN, parseIpv4(network.pool.last) ?? NaN]
  const inPool = addresses.find(address => isBetween(parseIpv4(address) ?? NaN, first, last))
  if (inPool === undefined) return
  const { pool } = network
  const whose = chosen === undefined ? '' : chosen.pool ? ' (chosen by Pilotlight)' : ' (in the site file)'
  const what = `the pool ${pool.first}-${pool.last}${whose} of site ${name} contains ${inPool}`
  const at = parseIpv4(inPool) ?? NaN
  const [from, to] = last - at > at - first ? [at + 1, last] : [first, at - 1]
  const example = from <= to ? `, for example  pool: ${formatIpv4(from)}-${formatIpv4(to)}` : ''
  throw new ServerAddressTaken(what, `Give the network another pool in the site file${example}`)
}

/** The first address from host 11 on that nothing of the site has, outside its pool. */
function freeAddress({ network, machines }: SiteObjects, own: ReadonlySet<string>): string | undefined {
  const bounds = networkAround(network.subnet)
  if (bounds === undefined) return undefined
  const taken = new Set([...own, network.gateway, ...network.dns, ...machines.map(({ address }) => address)])
  const [first, last] = [parseIpv4(network.pool.first) ?? NaN, parseIpv4(network.pool.last) ?? NaN]
  for (let at = bounds.first + 11; isHostOf(bounds, at) && at < bounds.first + 4096; at += 1) {
    if (!isBetween(at, first, last) && !taken.has(formatIpv4(at))) return formatIpv4(at)
  }
  return undefined
}

function isBetween(number: number, low: number, high: number): boolean {
  return number >= low && number <= high
}

/** What a person should know before the machines of the site are switched on: sentences, none when all is well. */
export function siteWarnings(name: string, { network, chosen }: SiteObjects, server: ServerPlace): string[] {
  const { subnet, dhcp, gateway } = network
  const warnings: string[] = []
  if (dhcp !== 'off' && !server.dhcp)
    warnings.push(
      `DHCP is off in this server, and site ${name} has "dhcp: ${dhcp}": its machines are not answered. ` +
        'Start the server without --no-dhcp, or write  dhcp: off  where another DHCP server names our boot loader.',
    )
  else if (dhcp !== 'off' && !isIn(subnet, server.address)) {
    const there = server.addresses.find(address => isIn(subnet, address))
    const remedy =
      there === undefined
        ? 'Give the host an address in that network, and start the server with --address and that address.'
        : `Start it with  --address ${there}`
    warnings.push(
      `This server is at ${server.address}, which is not an address of ${subnet}: its DHCP does not answer the machines of site ${name}. ${remedy}`,
    )
  }
  if (chosen?.gateway === true && server.addresses.includes(gateway) && server.forwards === false)
    warnings.push(
      `The gateway ${gateway}, which the file of site ${name} leaves out, is this server, and its host forwards no packets: ` +
        'machines reach no other network. Write the address of a router as  gateway, or set net.ipv4.ip_forward to 1.',
    )
  return warnings
}

function isIn(subnet: string, address: string): boolean {
  const bounds = networkAround(subnet)
  return bounds !== undefined && isHostOf(bounds, parseIpv4(address) ?? NaN)
}
