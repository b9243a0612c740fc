// What the server answers to one DHCP packet: a pure decision over the packet, the network, the machines, the leases
// and the time. RFC 2131 §4.3, with the PXE specification 2.1 and the firmware that bends both.

import { BROADCAST } from '#model/ipv4.ts'
import type { Lease } from '#model/lease.ts'
import type { Machine } from '#model/machine.ts'
import { isKnownByUuidAlone, type MachineIndex } from '../../machines/identity.ts'
import { bootOf, clientOf, clientText, type Boot, type BootServer, type Client } from './firmware.ts'
import type { LeaseChange } from '../../store/leases.ts'
import type { LeaseView } from './leases.ts'
import { addresses, addressIn, latin1, OPTION, text, uint32, type Options } from './options.ts'
import { MESSAGE, messageTypeOf, NOWHERE, wantedAddressOf, type Packet } from './packet.ts'
import type { Subnet } from './subnet.ts'

/** Where a packet is sent, or came from. */
export type Endpoint = { readonly address: string; readonly port: number }

/** How a packet arrived: on DHCP's port or on the PXE boot server's (4011), and its sender. */
export type Arrival = { readonly service: 'dhcp' | 'pxe'; readonly from: Endpoint }

/** All that a decision looks at beside the packet. */
export type World = {
  readonly subnet: Subnet
  readonly server: BootServer
  readonly machines: Pick<MachineIndex, 'machine'>
  readonly leases: LeaseView
  /** Milliseconds since 1970. */
  readonly now: number
  /**
   * Whether an address that another client had was found in use lately; undefined while it has not been probed. Without it
   * no address is probed.
   */
  readonly probed?: (address: string) => 'free' | 'used' | undefined
}

/** One thing for the boot journal; the fields of `BootEvent` that DHCP knows. */
export type DhcpEvent = {
  readonly mac: string
  /** SMBIOS UUID, from this packet or an earlier one: the journal finds a machine by it that is declared so. */
  readonly uuid?: string
  readonly layer: 'dhcp'
  readonly kind:
    'discover' | 'offer' | 'request' | 'ack' | 'nak' | 'decline' | 'release' | 'inform' | 'ignored'
  readonly text: string
  readonly detail: Readonly<Record<string, string | number>>
  /** Firmware or iPXE asks afresh, so a new boot may have begun. */
  readonly startsBoot?: boolean
  /** The name of a declared machine whose UUID this packet has, when the client is not accepted as that machine. */
  readonly uuidOf?: string
}

/** The decision: a reply and where it goes, or silence and why; what changes in the leases; what the journal says. */
export type Decision = {
  readonly reply?: { readonly packet: Packet; readonly to: Endpoint }
  /** Why nothing is sent, for people. */
  readonly silence?: string
  /** An address to look at before the same packet is decided again: another client had it. */
  readonly probe?: string
  /** The client showed that it has its address. */
  readonly isAlive?: true
  /** Something that no healthy network does, for the operator to see: an alarm `declined`. */
  readonly alarm?: string
  /** The client took the offer of this other server, where we are to be the only one. */
  readonly otherServer?: string
  readonly changes: readonly LeaseChange[]
  readonly events: readonly DhcpEvent[]
}

/** How long an address is kept, in seconds. */
export const SECONDS = {
  /** Between offer and request: firmware collects offers for some seconds. */
  offer: 20,
  /** An undeclared client that has shown no sign of life: it renewed no lease and fetched no file. */
  first: 120,
  /** An address that was given back, before another client may have it. */
  rest: 60,
  /** Firmware and iPXE: minutes, renewed by the operating system, so that a storm of unknown machines frees its pool. */
  boot: 600,
  /** An operating system of an undeclared machine. */
  unknown: 3600,
  /** The operating system of a declared machine, which must outlive a provisioner that is down for a night. */
  machine: 43_200,
  /** An address that a client found in use. */
  declined: 600,
} as const

/** The share of the pool that clients can take out of use: the oldest such address goes back when there are more. */
const DECLINED_SHARE = 0.1

const CLIENT_PORT = 68
const SERVER_PORT = 67

// PXE 2.1, option 43: discovery control (6) with bit 3 set: boot the file named here, look for no other boot server.
// Without it UEFI asks port 4011 for the same thing again (tianocore/edk2#8149).
const BOOT_THIS_FILE = Uint8Array.of(6, 1, 8, 255)

// iPXE's own options (175), number 176 set: do not wait two seconds for a proxy's offer; we are the whole answer.
const NO_PROXY = Uint8Array.of(176, 1, 1)

/**
 * Decides what to answer to `message`.
 *
 * In `full` mode we are the only authority on our subnet: an address that a client must not have is refused with NAK,
 * unless option 54 says that it speaks to another server. In `proxy` mode we add the boot file to the offers of
 * another server and give no addresses. Silence always has a reason.
 */
export function decide(message: Packet, arrival: Arrival, world: World): Decision {
  const refusal = refusalOf(message, arrival, world)
  if (refusal !== undefined) return silent(refusal)
  const exchange = exchangeOf(message, arrival, world)
  if (arrival.service === 'pxe') return bootServerReply(exchange)
  const type = messageTypeOf(message)
  if (world.subnet.network.dhcp === 'proxy') return proxyReply(exchange, type)
  if (type === MESSAGE.discover) return offer(exchange)
  if (type === MESSAGE.request) return acknowledge(exchange)
  if (type === MESSAGE.inform) return inform(exchange)
  if (type === MESSAGE.decline) return quarantine(exchange)
  if (type === MESSAGE.release) return release(exchange)
  return silent(`message type ${type ?? 'none'} is not a client's`)
}

/** The packet with what was found out about its sender. */
type Exchange = {
  readonly message: Packet
  readonly arrival: Arrival
  readonly world: World
  readonly client: Client
  readonly boot: Boot
  readonly machine: Machine | undefined
  /** Our identifier of the machine by SMBIOS, from this packet or an earlier one of the same hardware address. */
  readonly uuid: string | undefined
  /** Another declared machine, whose UUID this packet has. */
  readonly uuidOf: Machine | undefined
}

function refusalOf(message: Packet, arrival: Arrival, { subnet }: World): string | undefined {
  if (message.op !== 'request') return 'a reply of another server'
  if (message.hardwareType !== 1 || message.mac.length !== 17) return 'not an Ethernet client'
  if (subnet.network.dhcp === 'off') return 'DHCP is off on this network'
  if (message.relayAddress !== NOWHERE && !subnet.holds(message.relayAddress)) {
    return `relay ${message.relayAddress} is outside ${subnet.network.subnet}`
  }
  // A reply goes to this address, and anyone can write any there: a host elsewhere, every host of a group or of the wire.
  const { clientAddress } = message
  if (
    message.relayAddress === NOWHERE &&
    clientAddress !== NOWHERE &&
    clientAddress !== arrival.from.address &&
    !subnet.holds(clientAddress)
  ) {
    return `${clientAddress} is neither an address of ${subnet.network.subnet} nor the sender's`
  }
  return undefined
}

function exchangeOf(message: Packet, arrival: Arrival, world: World): Exchange {
  const client = clientOf(message.options)
  const remembered = world.leases.boundTo(message.mac)?.uuid
  const uuids = client.uuids.length === 0 && remembered !== undefined ? [remembered] : client.uuids
  // The same UUID in both orders of bytes: the index finds a machine by either.
  const shown = world.machines.machine({ mac: message.mac, uuid: uuids[0] }, 'claimed')
  const isTaken = shown !== undefined && runsElsewhere(shown, message.mac, world)
  const machine = isTaken ? undefined : shown
  const uuid = isTaken ? undefined : (uuids.find(spelling => spelling === machine?.uuid) ?? uuids[0])
  const named = world.machines.machine({ uuid: client.uuids[0] })
  const uuidOf = named === machine ? undefined : named
  return { message, arrival, world, client, boot: bootOf(client, world.server), machine, uuid, uuidOf }
}

/**
 * Says whether the system of a machine that is declared by UUID alone runs with another hardware address. Every client can
 * send its UUID: one that does so meanwhile is a stranger, else it would take the machine's address away. Firmware's short
 * lease does not count, because a machine tries its network cards one after another.
 */
function runsElsewhere(machine: Machine, mac: string, { leases, now }: World): boolean {
  const lease = leases.at(machine.address)
  if (!isKnownByUuidAlone(machine) || lease === undefined || lease.mac === mac || lease.state !== 'bound')
    return false
  return lease.expiresAt - now > SECONDS.boot * 1000
}

// --- full mode

function offer(exchange: Exchange): Decision {
  const { message, world } = exchange
  const asked = discoverEvent(exchange)
  const found = addressFor(exchange)
  if ('probe' in found)
    return { ...silent(`${found.probe} is probed first`, found.changes), probe: found.probe }
  if ('none' in found)
    return silent(found.none, found.changes, [asked, event(exchange, 'ignored', found.none)])
  const { address } = found
  const bound = world.leases.boundTo(message.mac)
  const alreadyIts = bound?.address === address && bound.expiresAt > world.now
  return {
    reply: replyTo(exchange, MESSAGE.offer, address),
    changes: [...found.changes, ...(alreadyIts ? [] : [put(exchange, address, 'offered', SECONDS.offer)])],
    events: [asked, event(exchange, 'offer', `offers ${address}${nextText(exchange.boot)}`, { address })],
  }
}

function acknowledge(exchange: Exchange): Decision {
  const { message, world } = exchange
  const chosen = addressIn(message.options, OPTION.serverIdentifier)
  if (chosen !== undefined && chosen !== world.server.address) return losesTo(exchange, chosen)
  // A client that names no address means the one it was just offered.
  const named = wantedAddressOf(message)
  const wanted = named === NOWHERE ? (world.leases.offeredTo(message.mac)?.address ?? NOWHERE) : named
  const asked = event(exchange, 'request', `asks for ${wanted}`, { address: wanted })
  const wrong = objectionTo(exchange, wanted)
  if (wrong !== undefined) return refuse(exchange, asked, wrong)
  const before = world.leases.boundTo(message.mac)
  const moved = before !== undefined && before.address !== wanted
  const seconds = leaseSecondsOf(exchange)
  const words = `${wanted} is its address for ${seconds} s${nextText(exchange.boot)}`
  return {
    reply: replyTo(exchange, MESSAGE.ack, wanted),
    changes: [
      ...(moved ? [{ kind: 'drop', address: before.address } as const] : []),
      put(exchange, wanted, 'bound', seconds),
    ],
    events: [asked, event(exchange, 'ack', words, { address: wanted, ...fileDetail(exchange.boot) })],
    ...(isRenewal(exchange) ? { isAlive: true } : {}),
  }
}

/** The client took the offer of another server: a declared machine then boots what that one says, if anything. */
function losesTo(exchange: Exchange, server: string): Decision {
  const { machine } = exchange
  const why = `it chose the server ${server}`
  if (machine === undefined) return { ...silent(why), otherServer: server }
  const words = `takes the offer of another DHCP server, ${server}, and not ours: look for that server, or write  dhcp: proxy`
  return { ...silent(why, [], [event(exchange, 'request', words, { from: server })]), otherServer: server }
}

function refuse(exchange: Exchange, asked: DhcpEvent, why: string): Decision {
  const { message, world } = exchange
  const options: Options = new Map([
    [OPTION.messageType, Uint8Array.of(MESSAGE.nak)],
    [OPTION.serverIdentifier, addresses(world.server.address)],
    [OPTION.message, text(why.slice(0, 200))],
    ...echoed(message),
  ])
  // RFC 2131 §4.3.2: a relay shall broadcast the NAK, since the client may have no address there.
  const packet = { ...replyHeader(message), broadcast: true, clientAddress: NOWHERE, options }
  const relayed = message.relayAddress !== NOWHERE
  const to = relayed
    ? { address: message.relayAddress, port: SERVER_PORT }
    : { address: BROADCAST, port: CLIENT_PORT }
  return { reply: { packet, to }, changes: [], events: [asked, event(exchange, 'nak', `refused: ${why}`)] }
}

function inform(exchange: Exchange): Decision {
  const address = exchange.message.clientAddress
  const words = `has ${address} and asks for the settings${nextText(exchange.boot)}`
  return {
    reply: replyTo(exchange, MESSAGE.ack, NOWHERE),
    changes: [],
    events: [event(exchange, 'inform', words, { address, ...fileDetail(exchange.boot) })],
  }
}

function quarantine(exchange: Exchange): Decision {
  const { message, machine, world } = exchange
  const address = wantedAddressOf(message)
  const holder = world.leases.at(address)
  // Only the holder of an address may take it out of use, else one client could empty the pool.
  if (holder?.mac !== message.mac || holder.state === 'declined')
    return silent(`declines ${address}, which is not its own`)
  if (holder.state === 'offered') {
    // A client looks at an address after its ACK (RFC 2131 §3.1). The offer ends; the next client's is probed.
    const words = `declines ${address} before it was its own: the offer ends`
    const ended: Lease = { ...holder, expiresAt: world.now }
    return silent(words, [{ kind: 'put', lease: ended }], [event(exchange, 'decline', words, { address })])
  }
  if (machine !== undefined) {
    // Anyone can send this in a machine's name: it keeps its address.
    const words = `found ${address} in use by another host. It stays the address of ${machine.name}: look for that host`
    return {
      ...silent('a DECLINE has no answer', [], [event(exchange, 'decline', words, { address })]),
      alarm: `${machine.name} ${words}`,
    }
  }
  const words = `found ${address} in use by another host: no one gets it for ${SECONDS.declined / 60} min`
  const { first, last } = world.subnet
  const most = Math.max(1, Math.floor((last - first + 1) * DECLINED_SHARE))
  const before = world.leases.declined(world.now)
  const tooMany = before.slice(0, Math.max(0, before.length + 1 - most))
  return silent(
    'a DECLINE has no answer',
    [
      ...tooMany.map((lease): LeaseChange => ({ kind: 'put', lease: { ...lease, expiresAt: world.now } })),
      put(exchange, address, 'declined', SECONDS.declined),
    ],
    [event(exchange, 'decline', words, { address })],
  )
}

function release(exchange: Exchange): Decision {
  const { message, arrival, world } = exchange
  const address = message.clientAddress
  if (world.leases.at(address)?.mac !== message.mac)
    return silent(`releases ${address}, which is not its own`)
  // RFC 2131 §4.4.6: sent by unicast, from the address that is given back.
  if (arrival.from.address !== address) return silent(`${arrival.from.address} releases ${address}`)
  return silent(
    'a RELEASE has no answer',
    // Not forgotten: the machine gets the same address when it returns, others only after a pause.
    [put(exchange, address, 'bound', SECONDS.rest)],
    [event(exchange, 'release', `gives ${address} back`, { address })],
  )
}

// --- proxy mode, and port 4011 in both modes

function proxyReply(exchange: Exchange, type: number | undefined): Decision {
  if (exchange.client.kind === 'plain') return silent('an operating system wants nothing of a proxy')
  if (type === MESSAGE.request) return overhear(exchange)
  if (type !== MESSAGE.discover) return silent('a proxy answers only to DISCOVER here')
  const asked = discoverEvent(exchange)
  if (exchange.boot.file === undefined) {
    return silent(
      'nothing to boot',
      [],
      [asked, event(exchange, 'ignored', exchange.boot.lacking ?? 'nothing to boot')],
    )
  }
  const words = `offers no address${nextText(exchange.boot)}`
  return {
    reply: replyTo(exchange, MESSAGE.offer, NOWHERE),
    changes: [],
    events: [asked, event(exchange, 'offer', words, fileDetail(exchange.boot))],
  }
}

/** The client takes the address of the other server: nothing to answer, but now we know whose address it is. */
function overhear(exchange: Exchange): Decision {
  const { message, world, machine } = exchange
  const address = wantedAddressOf(message)
  if (!world.subnet.holds(address)) return silent(`asks another server for ${address}`)
  // Anyone can send this in any name. A declared address belongs to its machine, whichever client asks for it; a machine has no other.
  const owner = world.machines.machine({ address })
  if (owner !== undefined && owner !== machine) {
    return silent(`asks another server for ${address}, which is the address of ${owner.name}`)
  }
  const words = `asks another server for ${address}`
  if (machine !== undefined && owner === undefined) {
    const text = `${words}; its address here is ${machine.address}`
    return silent('it is not the address of the machine', [], [event(exchange, 'request', text, { address })])
  }
  // That of a declared machine outlives a restart between two steps of its boot.
  const state = machine === undefined ? 'offered' : 'bound'
  return silent(
    'the REQUEST on port 67 is for the server that gives addresses',
    [put(exchange, address, state, SECONDS.boot)],
    [event(exchange, 'request', words, { address, from: 'another server' })],
  )
}

function bootServerReply(exchange: Exchange): Decision {
  const { message, arrival, boot, client } = exchange
  if (client.kind === 'plain') return silent('an operating system wants nothing of a boot server')
  if (boot.file === undefined)
    return silent('nothing to boot', [], [event(exchange, 'ignored', boot.lacking ?? '')])
  const type = messageTypeOf(message)
  const answer = type === MESSAGE.discover ? MESSAGE.offer : MESSAGE.ack
  if (type !== MESSAGE.discover && type !== MESSAGE.request && type !== MESSAGE.inform) {
    return silent(`message type ${type ?? 'none'} is not for a boot server`)
  }
  const { packet } = replyTo(exchange, answer, NOWHERE)
  const kind = answer === MESSAGE.offer ? 'offer' : 'ack'
  return {
    reply: { packet, to: arrival.from },
    changes: [],
    events: [event(exchange, kind, `says on port 4011 what to boot${nextText(boot)}`, fileDetail(boot))],
  }
}

// --- addresses

type Found = { readonly changes: readonly LeaseChange[] } & (
  { readonly address: string } | { readonly none: string } | { readonly probe: string }
)

/** How many addresses that turn out to be in use are passed over for one packet. */
const MOST_USED = 4

/** The address to offer: the reservation, else what the client had, else what it asks for, else a free one. */
function addressFor(exchange: Exchange): Found {
  const { message, machine, world } = exchange
  if (machine !== undefined) {
    const wrong = objectionTo(exchange, machine.address)
    return { changes: [], ...(wrong === undefined ? { address: machine.address } : { none: wrong }) }
  }
  const { leases, subnet, now } = world
  const remembered = [
    leases.boundTo(message.mac)?.address,
    leases.offeredTo(message.mac)?.address,
    addressIn(message.options, OPTION.requestedAddress),
  ]
  const used = new Set<string>()
  const isFree = (address: string) => !used.has(address) && objectionTo(exchange, address) === undefined
  const changes: LeaseChange[] = []
  while (used.size <= MOST_USED) {
    const address =
      remembered.find(one => one !== undefined && isFree(one)) ??
      leases.pick({ subnet, mac: message.mac, now, isFree }) ??
      oldestDeclined(exchange, used)
    if (address === undefined) break
    const before = leases.at(address)
    const isAnothers = before !== undefined && (before.mac !== message.mac || before.state === 'declined')
    if (!isAnothers || world.probed === undefined) return { changes, address }
    const result = world.probed(address)
    if (result === undefined) return { changes, probe: address }
    if (result === 'free') return { changes, address }
    used.add(address)
    changes.push({
      kind: 'put',
      lease: { ...before, state: 'declined', expiresAt: now + SECONDS.declined * 1000 },
    })
  }
  const { first, last } = subnet.network.pool
  return { changes, none: `every address of the pool ${first} to ${last} is taken` }
}

/** Where no address is free: the one that was found in use the longest ago, unless it is one that was `used` just now. */
function oldestDeclined({ world }: Exchange, used: ReadonlySet<string>): string | undefined {
  const { leases, subnet, machines, now } = world
  return leases
    .declined(now)
    .find(
      ({ address }) =>
        subnet.pools(address) && !used.has(address) && machines.machine({ address }) === undefined,
    )?.address
}

/** Why this client must not have `address`; undefined when it may. */
function objectionTo({ message, machine, world }: Exchange, address: string): string | undefined {
  const { subnet, server, leases, machines, now } = world
  if (!subnet.holds(address)) return `${address} is not an address of ${subnet.network.subnet}`
  if (address === server.address || address === subnet.network.gateway)
    return `${address} is the network's own`
  const lease = leases.at(address)
  const isCurrent = lease !== undefined && lease.expiresAt > now
  if (isCurrent && lease.state === 'declined' && machine?.address !== address)
    return `${address} was found in use by another host`
  if (machine !== undefined) {
    return address === machine.address
      ? undefined
      : `${address} is not the address of ${machine.name}, ${machine.address}`
  }
  const owner = machines.machine({ address })
  if (owner !== undefined) return `${address} is kept for ${owner.name}`
  if (!subnet.pools(address)) return `${address} is outside the pool`
  return isCurrent && lease.mac !== message.mac ? `${address} is leased to ${lease.mac}` : undefined
}

function leaseSecondsOf(exchange: Exchange): number {
  const { client, machine, message, world } = exchange
  const isKnown = machine !== undefined || world.leases.isAlive(message.mac) || isRenewal(exchange)
  if (!isKnown) return SECONDS.first
  if (client.kind !== 'plain') return SECONDS.boot
  return machine === undefined ? SECONDS.unknown : SECONDS.machine
}

/** The client asks from the address that it was given (RFC 2131 §4.3.2), so it has it. */
function isRenewal({ message, arrival, world }: Exchange): boolean {
  const { clientAddress, mac } = message
  return (
    clientAddress !== NOWHERE &&
    arrival.from.address === clientAddress &&
    world.leases.boundTo(mac)?.address === clientAddress
  )
}

function put(exchange: Exchange, address: string, state: Lease['state'], seconds: number): LeaseChange {
  const { message, uuid, world } = exchange
  const expiresAt = Math.max(world.now + seconds * 1000, heldUntil(exchange, address))
  const lease: Lease = {
    address,
    mac: message.mac,
    state,
    expiresAt,
    ...(uuid === undefined ? {} : { uuid }),
  }
  return { kind: 'put', lease }
}

/**
 * Until when the system of a machine that is declared by UUID alone was given its address: packets of firmware, and
 * RELEASE, which anyone can send in its name, do not shorten that. Otherwise its UUID with another MAC would get the address.
 */
function heldUntil({ message, machine, world }: Exchange, address: string): number {
  if (machine === undefined || !isKnownByUuidAlone(machine)) return 0
  const lease = world.leases.at(address)
  return lease?.state === 'bound' && lease.mac === message.mac ? lease.expiresAt : 0
}

// --- replies

/** The fields that every reply takes from the request (RFC 2131 table 3). */
function replyHeader(message: Packet): Omit<Packet, 'options'> {
  return {
    op: 'reply',
    hardwareType: message.hardwareType,
    hops: 0,
    transaction: message.transaction,
    seconds: 0,
    broadcast: message.broadcast,
    clientAddress: message.clientAddress,
    yourAddress: NOWHERE,
    nextServer: NOWHERE,
    relayAddress: message.relayAddress,
    mac: message.mac,
    serverName: '',
    bootFile: '',
  }
}

function replyTo(exchange: Exchange, type: number, address: string): NonNullable<Decision['reply']> {
  const { message, boot, world } = exchange
  const packet: Packet = {
    ...replyHeader(message),
    // An offer carries no client address (RFC 2131 table 3).
    clientAddress: type === MESSAGE.offer ? NOWHERE : message.clientAddress,
    yourAddress: address,
    // U-Boot and old ROMs read only these header fields, new ones prefer the options: both are filled.
    nextServer: boot.file === undefined ? NOWHERE : world.server.address,
    serverName: boot.file !== undefined && boot.by === 'tftp' ? world.server.address : '',
    bootFile: boot.file !== undefined && boot.file.length < 128 ? boot.file : '',
    options: replyOptions(exchange, type, address),
  }
  return { packet, to: destinationOf(message) }
}

function replyOptions(exchange: Exchange, type: number, address: string): Options {
  const { message, world, client, boot, machine } = exchange
  const { subnet, server } = world
  const { network } = subnet
  const isProxy = network.dhcp === 'proxy' || exchange.arrival.service === 'pxe'
  const options: Options = new Map([
    [OPTION.messageType, Uint8Array.of(type)],
    [OPTION.serverIdentifier, addresses(server.address)],
  ])
  if (!isProxy) {
    // Sent even when option 55 does not ask for them: some firmware forgets to (raspberrypi/firmware#871).
    if (address !== NOWHERE) options.set(OPTION.leaseSeconds, uint32(leaseSecondsOf(exchange)))
    options.set(OPTION.subnetMask, addresses(subnet.mask))
    options.set(OPTION.router, addresses(network.gateway))
    if (network.dns.length > 0) options.set(OPTION.dns, addresses(...network.dns))
    options.set(OPTION.broadcastAddress, addresses(subnet.broadcast))
    // RFC 2132 §8.3; networkd gives them to timesyncd.
    if (network.ntp !== undefined && network.ntp.length > 0)
      options.set(OPTION.ntp, addresses(...network.ntp))
    if (machine !== undefined) options.set(OPTION.hostname, text(machine.name))
  }
  if (boot.file !== undefined) {
    // HTTP Boot takes only an offer with its own class (tinkerbell/smee#210); PXE wants its class, and with it option 43.
    options.set(OPTION.vendorClass, text(client.kind === 'http' ? 'HTTPClient' : 'PXEClient'))
    if (client.kind !== 'http') options.set(OPTION.vendorSpecific, BOOT_THIS_FILE)
    if (boot.by === 'tftp') options.set(OPTION.tftpServerName, text(server.address))
    options.set(OPTION.bootFile, text(boot.file))
    if (client.kind === 'ipxe' && !isProxy) options.set(OPTION.ipxe, NO_PROXY)
  }
  for (const [option, value] of echoed(message)) options.set(option, value)
  return options
}

// What is sent back unchanged: UUID (RFC 4578 §2.3), client identifier (RFC 6842), and last the relay's (RFC 3046).
const ECHOED = [OPTION.clientUuid, OPTION.clientIdentifier, OPTION.relayAgent] as const

/** The longest value that goes back, in bytes: no client and no relay needs more than one option (RFC 3046 §2.0). */
const LONGEST_ECHO = 255

function echoed(message: Packet): [number, Uint8Array][] {
  return ECHOED.flatMap(option => {
    const value = message.options.get(option)
    return value === undefined || value.length > LONGEST_ECHO ? [] : [[option, value]]
  })
}

/**
 * RFC 2131 §4.1: to the relay, else to the address that the client has, else by broadcast. The fourth case, unicast to
 * an address that the client does not have yet, needs a raw socket, so it is broadcast too, which clients accept.
 */
function destinationOf(message: Packet): Endpoint {
  if (message.relayAddress !== NOWHERE) return { address: message.relayAddress, port: SERVER_PORT }
  if (message.clientAddress !== NOWHERE) return { address: message.clientAddress, port: CLIENT_PORT }
  return { address: BROADCAST, port: CLIENT_PORT }
}

// --- words

function discoverEvent(exchange: Exchange): DhcpEvent {
  const { client } = exchange
  const asks = event(exchange, 'discover', `${clientText(client)} looks for a server`)
  return client.kind === 'plain' ? asks : { ...asks, startsBoot: true }
}

function event(
  { message, client, uuid, machine, uuidOf }: Exchange,
  kind: DhcpEvent['kind'],
  words: string,
  more: DhcpEvent['detail'] = {},
): DhcpEvent {
  const detail = {
    client: client.kind,
    ...(client.architectures.length === 0 ? {} : { architecture: client.architectures.join(' ') }),
    ...(machine === undefined ? {} : { machine: machine.name }),
    ...portDetail(message),
    ...more,
  }
  const whose = {
    mac: message.mac,
    ...(uuid === undefined ? {} : { uuid }),
    ...(uuidOf === undefined ? {} : { uuidOf: uuidOf.name }),
  }
  return { ...whose, layer: 'dhcp', kind, text: words, detail }
}

/**
 * The switch port that the relay names (RFC 3046 §3.1, §3.2): circuit and remote identifier. A packet without a relay's
 * address came from its client itself, who can name any port.
 */
function portDetail({ options, relayAddress }: Packet): Record<string, string> {
  const value = options.get(OPTION.relayAgent)
  if (value === undefined || relayAddress === NOWHERE) return {}
  const parts: string[] = []
  for (let at = 0; at + 1 < value.length; at += 2 + value[at + 1]!) {
    const name = RELAY_PARTS.get(value[at]!)
    const content = value.subarray(at + 2, at + 2 + value[at + 1]!)
    if (name !== undefined) parts.push(`${name}=${printable(content)}`)
  }
  return parts.length === 0 ? {} : { port: parts.join(' ').slice(0, LONGEST_PORT) }
}

const RELAY_PARTS: ReadonlyMap<number, string> = new Map([
  [1, 'circuit'],
  [2, 'remote'],
])
const LONGEST_PORT = 128

/** Switches send a name or bytes: a name as it is, all else as hexadecimal. */
function printable(bytes: Uint8Array): string {
  const isText = bytes.length > 0 && bytes.every(byte => byte > 0x20 && byte < 0x7f)
  return isText ? latin1(bytes) : Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

function nextText(boot: Boot): string {
  if (boot.file !== undefined) return `, next ${boot.file} by ${boot.by.toUpperCase()}`
  return boot.lacking === undefined ? '' : `, but ${boot.lacking}`
}

function fileDetail(boot: Boot): Record<string, string> {
  return boot.file === undefined ? {} : { file: boot.file }
}

function silent(
  silence: string,
  changes: readonly LeaseChange[] = [],
  events: readonly DhcpEvent[] = [],
): Decision {
  return { silence, changes, events }
}
