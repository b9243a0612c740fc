// What a site must not have where this server is: its own addresses. And what this server's DHCP will not do for the site.

import { pathWord } from '#host/shell.ts'
import type { Fault } from '#model/fault.ts'
import {
  contains,
  formatIpv4,
  isBetween,
  isHostOf,
  networkAround,
  overlap,
  parseIpv4,
  parseSubnet,
  reservedRange,
} from '#model/ipv4.ts'
import { MOST_NTP } from '#model/network.ts'
import type { Profile } from '#model/profile.ts'
import { assetsNamed } from '#model/profile-assets.ts'
import type { SiteObjects } from '#model/site.ts'
import { canonicalUuid } from '#model/uuid.ts'
import { ServerAddressTaken, SitesOverlap } from './errors.ts'
import { isEveryAddress } from '../process/own-addresses.ts'

/** Where the server is, and what it has. */
export type ServerPlace = {
  /** The IPv4 address that it was told to listen on; `0.0.0.0` is all of them. */
  readonly address: string
  /** All IPv4 addresses of its host but loopback. */
  readonly addresses: readonly string[]
  /** Whether it serves DHCP at all. */
  readonly dhcp: boolean
  /** Whether its host forwards packets; undefined where that is not known. */
  readonly forwards: boolean | undefined
  /** Whether a program of its host listens where time servers do; undefined where that is not known. */
  readonly servesTime: boolean | undefined
  /** The folder of kernels and images; undefined where it serves none. */
  readonly assetsPath: string | undefined
  /** Says whether there is a file below that folder. */
  readonly hasAsset: (path: string) => boolean
  /** What the live images say of themselves; undefined where they say nothing. */
  readonly images?: { readonly kubernetes?: string } | undefined
}

/**
 * What is wrong with the network of a site and with the places of its machines in it. A site may be sent by any client:
 * rack/site/ says the same of a site file, with lines. The objects themselves are those of their schemas.
 */
export function siteFaults({ network, machines }: SiteObjects): Fault[] {
  const bounds = parseSubnet(network.subnet)
  if (bounds === undefined) {
    const detail = `network: "${network.subnet}" is not an IPv4 network of /8 to /30 with its host bits zero`
    return [{ pointer: '/network/subnet', detail }]
  }
  const faults: Fault[] = []
  const fault = (pointer: string, detail: string) => faults.push({ pointer, detail })
  const reserved = reservedRange(bounds)
  if (reserved !== undefined)
    fault('/network/subnet', `network: ${network.subnet} cannot be used: ${reserved}`)
  const isHost = (address: string) => isHostOf(bounds, parseIpv4(address) ?? NaN)
  const { dhcp, gateway, dns, ntp = [], pool } = network
  if (!isHost(gateway))
    fault('/network/gateway', `network: the gateway ${gateway} is not an address of ${network.subnet}`)
  for (const [at, address] of dns.entries()) {
    const why = reservedRange(parseIpv4(address) ?? 0)
    if (why !== undefined) fault(`/network/dns/${at}`, `network: ${address} cannot be a DNS server: ${why}`)
  }
  if (ntp.length > MOST_NTP)
    fault('/network/ntp', `network: ${ntp.length} time servers, and at most ${MOST_NTP} are taken`)
  for (const [at, address] of ntp.slice(0, MOST_NTP).entries()) {
    const why = reservedRange(parseIpv4(address) ?? 0)
    if (why !== undefined) fault(`/network/ntp/${at}`, `network: ${address} cannot be a time server: ${why}`)
  }
  const [first, last] = [parseIpv4(pool.first) ?? NaN, parseIpv4(pool.last) ?? NaN]
  const isPooled = (address: string) => dhcp === 'full' && isBetween(parseIpv4(address), first, last)
  if (dhcp === 'full' && !(first <= last && isHost(pool.first) && isHost(pool.last)))
    fault('/network/pool', `network: ${pool.first}-${pool.last} is not a range of ${network.subnet}`)
  const kept = [gateway, ...dns, ...ntp].find(isPooled)
  if (kept !== undefined)
    fault(
      '/network/pool',
      `network: the pool ${pool.first}-${pool.last} contains ${kept}, the ${kept === gateway ? 'gateway' : dns.includes(kept) ? 'DNS server' : 'time server'}`,
    )
  const uuids = new Map<string, string>()
  for (const [at, { name, address, uuid }] of machines.entries()) {
    const why = !isHost(address)
      ? `is not an address of ${network.subnet}`
      : address === gateway
        ? 'is the gateway'
        : dns.includes(address)
          ? 'is a DNS server of the network'
          : ntp.includes(address)
            ? 'is a time server of the network'
            : isPooled(address)
              ? `is in the pool ${pool.first}-${pool.last}`
              : undefined
    if (why !== undefined) fault(`/machines/${at}/address`, `machine ${name}: ${address} ${why}`)
    if (uuid === undefined) continue
    const same = uuids.get(canonicalUuid(uuid))
    if (same !== undefined)
      fault(`/machines/${at}/uuid`, `machine ${name}: ${uuid} is also the uuid of ${same}`)
    uuids.set(canonicalUuid(uuid), name)
  }
  return faults
}

/**
 * Refuses a site whose subnet has addresses of another one's: DHCP serves by the subnet.
 *
 * @throws {SitesOverlap}
 */
export function refuseOverlap(
  name: string,
  { network: { subnet } }: SiteObjects,
  others: readonly { readonly name: string; readonly subnet: string }[],
): void {
  const bounds = networkAround(subnet)
  for (const other of others) {
    const theirs = networkAround(other.subnet)
    if (other.name === name || !bounds || !theirs || !overlap(bounds, theirs)) continue
    throw new SitesOverlap(name, subnet, other.name, other.subnet)
  }
}

/**
 * Refuses a site that gives away an address which the server's host has: the machine would never get it (RFC 2131 §4.3.1), or
 * two hosts would have it.
 *
 * @param declared the address that a machine of this name has here already: it is in use, and is not chosen anew
 * @throws {ServerAddressTaken}
 */
export function refuseServerAddresses(
  name: string,
  site: SiteObjects,
  server: Pick<ServerPlace, 'address' | 'addresses'>,
  declared: (machine: string) => string | undefined = () => undefined,
): void {
  const { addresses } = server
  const own = new Set(addresses)
  const { network, machines, chosen } = site
  const avoid = addresses.filter(address => isIn(network.subnet, address))
  for (const machine of machines) {
    if (!own.has(machine.address)) continue
    const what = `machine ${machine.name} of site ${name} has ${machine.address}`
    const isChosen = chosen?.machines.includes(machine.name)
    const whose = isChosen === undefined ? '' : isChosen ? ' (chosen by Pilotlight)' : ' (in the site file)'
    const free = freeAddress(site, own)
    const example = free === undefined ? '' : `, for example  address: ${free}`
    throw new ServerAddressTaken(
      `${what}${whose}`,
      `Give the machine another address in the site file${example}`,
      isChosen && declared(machine.name) !== machine.address ? avoid : [],
    )
  }
  refuseInNetworks(name, site, server)
  if (network.dhcp !== 'full') return
  const [first, last] = [parseIpv4(network.pool.first) ?? NaN, parseIpv4(network.pool.last) ?? NaN]
  const inPool = addresses.find(address => isBetween(parseIpv4(address), first, last))
  if (inPool === undefined) return
  const { pool } = network
  const whose = chosen === undefined ? '' : chosen.pool ? ' (chosen by Pilotlight)' : ' (in the site file)'
  const what = `the pool ${pool.first}-${pool.last}${whose} of site ${name} contains ${inPool}`
  const at = parseIpv4(inPool) ?? NaN
  const [from, to] = last - at > at - first ? [at + 1, last] : [first, at - 1]
  const example = from <= to ? `, for example  pool: ${formatIpv4(from)}-${formatIpv4(to)}` : ''
  const remedy = `Give the network another pool in the site file${example}`
  throw new ServerAddressTaken(what, remedy, chosen?.pool ? avoid : [])
}

/** The networks that a node sends elsewhere than to its own network, by the metadata of its group: rack/site/compile.ts. */
const ELSEWHERE = {
  podCidr: ['cluster.podCidr', 'nodes send it to pods'],
  serviceCidr: ['cluster.serviceCidr', 'nodes send it to services'],
  floatingCidr: ['openstack.external.cidr', 'nodes send it to floating IPs'],
} as const

/**
 * Refuses pods, services or floating IPs at an address by which machines reach this server: from the moment that the network of the
 * cluster is up, no node would.
 */
function refuseInNetworks(
  name: string,
  { network, groups }: SiteObjects,
  { address, addresses }: Pick<ServerPlace, 'address' | 'addresses'>,
): void {
  // A server on every address is reached by the one in the machines' network, if it has one: its other addresses, such
  // as those of other programs' bridges, do not matter.
  const isAnywhere = isEveryAddress(address)
  if (isAnywhere && addresses.some(one => isIn(network.subnet, one))) return
  const reached = isAnywhere ? addresses : [address]
  for (const { metadata = {} } of groups)
    for (const [key, [path, where]] of Object.entries(ELSEWHERE)) {
      const cidr = metadata[key]
      const taken = typeof cidr === 'string' ? reached.find(one => contains(cidr, one)) : undefined
      if (taken === undefined) continue
      const what = `${path} ${String(cidr)} of site ${name} contains ${taken}`
      throw new ServerAddressTaken(what, `Choose another ${path}, since ${where}`)
    }
}

/** The first address from host 11 on that nothing of the site has, outside its pool. */
function freeAddress({ network, machines }: SiteObjects, own: ReadonlySet<string>): string | undefined {
  const bounds = networkAround(network.subnet)
  if (bounds === undefined) return undefined
  const taken = new Set([
    ...own,
    network.gateway,
    ...network.dns,
    ...(network.ntp ?? []),
    ...machines.map(({ address }) => address),
  ])
  const [first, last] = [parseIpv4(network.pool.first) ?? NaN, parseIpv4(network.pool.last) ?? NaN]
  for (let at = bounds.first + 11; isHostOf(bounds, at) && at < bounds.first + 4096; at += 1) {
    if (!isBetween(at, first, last) && !taken.has(formatIpv4(at))) return formatIpv4(at)
  }
  return undefined
}

/** What a person should know before the machines of the site are switched on: sentences, none when all is well. */
export function siteWarnings(...given: Parameters<typeof siteObstacles>): string[] {
  return siteObstacles(...given).map(({ what, remedy }) => `${what} ${remedy}`)
}

/** Something of this server that keeps machines of a site from what they need. */
export type SiteObstacle = {
  readonly check: 'dhcp' | 'gateway' | 'time' | 'assets' | 'images'
  /** A sentence. */
  readonly what: string
  /** What to do, in sentences; and a command of it. */
  readonly remedy: string
  readonly fix: string
  /** The machines do not boot, or do not become what the site file says. */
  readonly blocks: boolean
}

/** The same as values: what is wrong, the remedy, and whether machines boot all the same. */
export function siteObstacles(
  name: string,
  { network, chosen, groups }: Pick<SiteObjects, 'network' | 'chosen' | 'groups'>,
  server: ServerPlace,
  profileOf: (id: string) => Profile | undefined = () => undefined,
): SiteObstacle[] {
  const { subnet, dhcp, gateway, ntp = [] } = network
  const obstacles: SiteObstacle[] = []
  const there = isIn(subnet, server.address)
    ? server.address
    : server.addresses.find(address => isIn(subnet, address))
  const fix = there === undefined ? 'ip -brief address' : serveCommand('--address', there)
  if (dhcp !== 'off' && !server.dhcp) {
    const also =
      there === server.address
        ? ''
        : there === undefined
          ? ` It also needs an address in ${subnet}: give the host one, and start the server with --address and that address.`
          : ` It also needs an address in ${subnet}:  --address ${there}`
    obstacles.push({
      check: 'dhcp',
      what: `DHCP is off in this server, and site ${name} has "dhcp: ${dhcp}": its machines are not answered.`,
      remedy: `Start the server without --no-dhcp, or write  dhcp: off  where another DHCP server names our boot loader.${also}`,
      fix: there === undefined ? fix : `${fix}, without --no-dhcp`,
      blocks: true,
    })
  } else if (dhcp !== 'off' && there !== server.address)
    obstacles.push({
      check: 'dhcp',
      what: `This server is at ${server.address}, which is not an address of ${subnet}: its DHCP does not answer the machines of site ${name}.`,
      remedy:
        there === undefined
          ? 'Give the host an address in that network, and start the server with --address and that address.'
          : `Start it with  --address ${there}`,
      fix,
      blocks: true,
    })
  if (chosen?.gateway === true && server.addresses.includes(gateway) && server.forwards === false)
    obstacles.push({
      check: 'gateway',
      what: `The gateway ${gateway}, which the file of site ${name} leaves out, is this server, and its host forwards no packets: machines reach no other network.`,
      remedy: 'Write the address of a router as  gateway, or set net.ipv4.ip_forward to 1.',
      fix: 'sysctl --write net.ipv4.ip_forward=1',
      blocks: false,
    })
  const clock = ntp.find(address => server.addresses.includes(address))
  if (clock !== undefined && server.servesTime === false)
    obstacles.push({
      check: 'time',
      what: `The time server ${clock} of site ${name} is this host, where no program listens on UDP port 123: its machines keep the wrong time that they may have.`,
      remedy: `Install one that answers ${subnet}, for example chrony with the line  allow ${subnet} , or name another as  network.ntp.`,
      fix: 'apt-get install --yes chrony',
      blocks: false,
    })
  const profiles = [...new Set(groups.map(({ profile }) => profile))].flatMap(id => profileOf(id) ?? [])
  return [...obstacles, ...missingAssets(name, profiles, server), ...otherKubernetes(name, groups, server)]
}

/** How the server is started anew. Without its other flags it would begin with an empty state, or without its images. */
export function serveCommand(flag: string, value: string): string {
  return `pilotlight serve ${flag} ${value}   beside its other flags, such as --state-path`
}

/** What the machines of a site are made to fetch from this server, and do not get. */
function missingAssets(
  name: string,
  profiles: readonly Profile[],
  { assetsPath, hasAsset }: ServerPlace,
): SiteObstacle[] {
  const named = [...new Set(profiles.flatMap(profile => assetsNamed(profile).map(({ asset }) => asset)))]
  const missing = assetsPath === undefined ? named : named.filter(asset => !hasAsset(asset))
  const [first] = missing
  if (first === undefined) return []
  const more = missing.length === 1 ? '' : ` and ${missing.length - 1} more`
  if (assetsPath === undefined)
    return [
      {
        check: 'assets',
        what: `This server has no assets folder, and the machines of site ${name} fetch /assets/${first}${more} from it: they are answered 404, and do not boot.`,
        remedy:
          'Start it with  --assets-path DIRECTORY , which  pilotlight images build --assets-path DIRECTORY  filled.',
        fix: serveCommand('--assets-path', 'DIRECTORY'),
        blocks: true,
      },
    ]
  return [
    {
      check: 'assets',
      what: `/assets/${first}${more}, which the machines of site ${name} fetch, ${missing.length === 1 ? 'is' : 'are'} not in ${assetsPath}: they are answered 404, and do not boot.`,
      remedy: `Put it there:  pilotlight images build --assets-path ${pathWord(assetsPath)}  does so; pilotlight assets list  shows what is there.`,
      fix: `pilotlight images build --assets-path ${pathWord(assetsPath)}`,
      blocks: true,
    },
  ]
}

/** A live image with another Kubernetes than the site's: its kubelets would not fit the control plane that `up` describes. */
function otherKubernetes(
  name: string,
  groups: SiteObjects['groups'],
  { assetsPath, images }: ServerPlace,
): SiteObstacle[] {
  if (images?.kubernetes === undefined || assetsPath === undefined) return []
  const wanted = groups.map(({ metadata = {} }) => metadata['kubernetes'])
  const other = wanted.find(version => typeof version === 'string' && version !== images.kubernetes)
  if (typeof other !== 'string') return []
  return [
    {
      check: 'images',
      what: `The images in ${assetsPath} have Kubernetes ${images.kubernetes}, and site ${name} is of ${other}.`,
      remedy: 'Build the images of that version, or write the other one as  cluster.kubernetes.',
      fix: `pilotlight images build --kubernetes ${other} --assets-path ${pathWord(assetsPath)}`,
      blocks: true,
    },
  ]
}

function isIn(subnet: string, address: string): boolean {
  const bounds = networkAround(subnet)
  return bounds !== undefined && isHostOf(bounds, parseIpv4(address) ?? NaN)
}
