import fc from 'fast-check'
import t from 'tap'
import type { Machine } from '#model/machine.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import { LeaseTable } from '#server/protocols/dhcp/leases.ts'
import { type Lease } from '#model/lease.ts'
import { MachineIndex } from '#server/machines/identity.ts'
import { decide, SECONDS, type Decision, type World } from '#server/protocols/dhcp/offer.ts'
import { addresses, addressIn, numberIn, OPTION, text, textIn } from '#server/protocols/dhcp/options.ts'
import { MESSAGE, messageTypeOf, type Packet } from '#server/protocols/dhcp/packet.ts'
import { subnetOf, type Subnet } from '#server/protocols/dhcp/subnet.ts'
import { anyPacket } from './arbitrary.ts'
import { but, discover, discoverWith, firmware, MAC, machine, network, SERVER } from './clients.ts'

const NOW = 1_000_000_000
const OTHER = '52:54:00:99:99:99'

/** A server with this state; each packet's changes are kept, as the socket does. */
class Server {
  readonly table: LeaseTable
  readonly #subnet: Subnet
  readonly #machines: readonly Machine[]
  now = NOW
  probed: World['probed']

  constructor(state: { network?: ProvisioningNetwork; machines?: Machine[]; leases?: Lease[] } = {}) {
    this.#subnet = subnetOf(state.network ?? network())
    this.#machines = state.machines ?? []
    this.table = new LeaseTable(state.leases)
  }

  hears(packet: Packet, service: 'dhcp' | 'pxe' = 'dhcp', from = { address: '0.0.0.0', port: 68 }): Decision {
    const decision = decide(
      packet,
      { service, from },
      {
        subnet: this.#subnet,
        machines: new MachineIndex(this.#machines),
        leases: this.table,
        server: SERVER,
        now: this.now,
        ...(this.probed && { probed: this.probed }),
      },
    )
    this.table.apply(decision.changes)
    if (decision.isAlive) this.table.sawAlive(packet.mac)
    return decision
  }

  /** DISCOVER, then REQUEST of what was offered. */
  gives(packet: Packet): Decision {
    const offered = this.hears(packet).reply?.packet.yourAddress ?? ''
    return this.hears(request(packet, offered))
  }
}

const request = (packet: Packet, address: string, server = SERVER.address) =>
  but(
    packet,
    MESSAGE.request,
    {},
    new Map([
      [OPTION.requestedAddress, addresses(address)],
      [OPTION.serverIdentifier, addresses(server)],
    ]),
  )

const rebooting = (packet: Packet, address: string) =>
  but(packet, MESSAGE.request, {}, new Map([[OPTION.requestedAddress, addresses(address)]]))

const renewing = (packet: Packet, address: string) => but(packet, MESSAGE.request, { clientAddress: address })

const lease = (address: string, mac: string, more: Partial<Lease> = {}): Lease => ({
  address,
  mac,
  state: 'bound',
  expiresAt: NOW + 60_000,
  ...more,
})

const typeOf = ({ reply }: Decision) => reply && messageTypeOf(reply.packet)

t.test('each kind of client gets a loader that fits it', async t => {
  const url = 'http://10.20.0.1:8080'
  const rows: [string, Packet, { file: string; next: string; class: string | undefined }][] = [
    ['BIOS', discover.bios, { file: 'undionly.kpxe', next: '10.20.0.1', class: 'PXEClient' }],
    ['x86-64 UEFI (7)', firmware(7), { file: 'snponly.efi', next: '10.20.0.1', class: 'PXEClient' }],
    ['x86-64 UEFI (9)', firmware(9), { file: 'snponly.efi', next: '10.20.0.1', class: 'PXEClient' }],
    ['arm64 UEFI', firmware(11), { file: 'ipxe-arm64.efi', next: '10.20.0.1', class: 'PXEClient' }],
    ['32-bit UEFI', firmware(6), { file: '', next: '0.0.0.0', class: undefined }],
    ['HTTP Boot', discover.http, { file: `${url}/loaders/ipxe.efi`, next: '10.20.0.1', class: 'HTTPClient' }],
    ['iPXE', discover.ipxe, { file: `${url}/boot.ipxe`, next: '10.20.0.1', class: 'PXEClient' }],
    ['an operating system', discover.plain, { file: '', next: '0.0.0.0', class: undefined }],
  ]
  for (const [who, packet, { file, next, class: vendorClass }] of rows) {
    const { reply } = new Server().hears(packet)
    t.match(reply?.packet, { bootFile: file, nextServer: next }, `${who}: header`)
    t.equal(textIn(reply!.packet.options, OPTION.bootFile) ?? '', file, `${who}: option 67`)
    t.equal(textIn(reply!.packet.options, OPTION.vendorClass), vendorClass, `${who}: option 60`)
  }
})

t.test('iPXE is known by its user class as a bare word and as a list', async t => {
  const inList = discoverWith([[OPTION.userClass, Uint8Array.of(3, 1, 2, 3, 4, ...text('iPXE'))]])
  const bare = discoverWith([[OPTION.userClass, text('iPXE')]])
  for (const packet of [inList, bare]) {
    t.match(new Server().hears(packet).reply?.packet.bootFile, /boot\.ipxe$/)
  }
  const other = discoverWith([[OPTION.userClass, Uint8Array.of(9, 1)]])
  t.equal(new Server().hears(other).reply?.packet.bootFile, '')
})

t.test('iPXE gets the option not to wait for a proxy when we give the addresses', async t => {
  const noProxy = Uint8Array.of(176, 1, 1)
  t.same(new Server().hears(discover.ipxe).reply?.packet.options.get(OPTION.ipxe), noProxy)
  const proxied = new Server({ network: network('proxy') }).hears(discover.ipxe)
  t.equal(proxied.reply?.packet.options.get(OPTION.ipxe), undefined)
})

t.test('firmware, iPXE and the operating system of one machine get the same address', async t => {
  for (const machines of [[], [machine()]]) {
    const server = new Server({ machines })
    const given = [discover.uefi, discover.ipxe, discover.plain].map(
      packet => server.gives(packet).reply?.packet.yourAddress,
    )
    t.equal(new Set(given).size, 1)
    t.equal(given[0] === '10.20.0.11', machines.length > 0)
  }
})

t.test('the client identifier of the operating system does not give it another address', async t => {
  const server = new Server()
  const first = server.gives(discover.bios).reply?.packet
  const withId = discoverWith([[OPTION.clientIdentifier, Uint8Array.of(255, 1, 2, 3, 4)]])
  const second = server.gives(withId).reply?.packet
  t.equal(second?.yourAddress, first?.yourAddress)
  t.same(second?.options.get(OPTION.clientIdentifier), Uint8Array.of(255, 1, 2, 3, 4))
})

t.test(
  'a machine declared by UUID alone is known by its firmware, and after it by its hardware address',
  async t => {
    const uuid = '4c4c4544-0001-0203-8405-060708090a0b'
    const swapped = [0x44, 0x45, 0x4c, 0x4c, 0x01, 0x00, 0x03, 0x02]
    const straight = [0x4c, 0x4c, 0x45, 0x44, 0x00, 0x01, 0x02, 0x03]
    const rest = [0x84, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b]
    for (const start of [swapped, straight]) {
      const server = new Server({ machines: [machine({ macs: [], uuid })] })
      const firmwareAsks = discoverWith([[OPTION.clientUuid, Uint8Array.of(0, ...start, ...rest)]])
      const { reply, events } = server.gives(firmwareAsks)
      t.equal(reply?.packet.yourAddress, '10.20.0.11')
      t.equal(events.at(-1)?.uuid, uuid)
      t.equal(server.gives(discover.plain).reply?.packet.yourAddress, '10.20.0.11')
    }
  },
)

t.test('the UUID of a machine that runs does not take its address away', async t => {
  const uuid = '4c4c4544-0001-0203-8405-060708090a0b'
  const bytes = [0, 0x4c, 0x4c, 0x45, 0x44, 0, 1, 2, 3, 0x84, 5, 6, 7, 8, 9, 10, 11]
  const withUuid = new Map([[OPTION.clientUuid, Uint8Array.from(bytes)]])
  const server = new Server({ machines: [machine({ macs: [], uuid })] })
  const asks = (mac: string) => but(discover.bios, MESSAGE.discover, { mac }, withUuid)
  t.equal(server.gives(asks(MAC)).reply?.packet.yourAddress, '10.20.0.11')
  t.equal(
    server.gives(asks(OTHER)).reply?.packet.yourAddress,
    '10.20.0.11',
    'its firmware tries another card',
  )
  server.gives(asks(MAC))
  server.gives(discover.plain)
  const stranger = server.gives(asks(OTHER))
  t.match(stranger.reply?.packet.yourAddress, /^10\.20\.0\.1\d\d$/)
  t.equal(stranger.events.at(-1)?.uuid, undefined, 'nor is it taken for the machine')
  t.equal(server.gives(discover.plain).reply?.packet.yourAddress, '10.20.0.11', 'the machine keeps it')
  t.equal(server.gives(asks(MAC)).reply?.packet.yourAddress, '10.20.0.11', 'and boots again')
  t.match(server.gives(asks(OTHER)).reply?.packet.yourAddress, /^10\.20\.0\.1\d\d$/)
  const released = but(discover.bios, MESSAGE.release, { clientAddress: '10.20.0.11' }, withUuid)
  server.hears({ ...released, mac: MAC }, 'dhcp', { address: '10.20.0.11', port: 68 })
  t.match(
    server.gives(asks('52:54:00:66:66:67')).reply?.packet.yourAddress,
    /^10\.20\.0\.1\d\d$/,
    'no packet in its name makes its lease shorter',
  )
})

t.test('a UUID with the MAC of no machine finds only a machine that is declared by UUID alone', async t => {
  const uuid = '4c4c4544-0001-0203-8405-060708090a0b'
  const bytes = [0, 0x4c, 0x4c, 0x45, 0x44, 0, 1, 2, 3, 0x84, 5, 6, 7, 8, 9, 10, 11]
  const server = new Server({ machines: [machine({ macs: [MAC], uuid })] })
  const stranger = but(
    discover.bios,
    MESSAGE.discover,
    { mac: OTHER },
    new Map([[OPTION.clientUuid, Uint8Array.from(bytes)]]),
  )
  t.match(server.gives(stranger).reply?.packet.yourAddress, /^10\.20\.0\.1\d\d$/)
})

t.test('the journal says at which switch port a relay saw the client', async t => {
  const relay = [1, 8, ...Buffer.from('ge-0/0/7'), 2, 3, 0, 1, 2]
  const asks = discoverWith([[OPTION.relayAgent, Uint8Array.from(relay)]])
  const [asked] = new Server().hears({ ...asks, relayAddress: '10.20.0.254' }).events
  t.equal(asked?.detail['port'], 'circuit=ge-0/0/7 remote=000102')
  const [claimed] = new Server().hears(asks).events
  t.equal(claimed?.detail['port'], undefined, 'a client that names a port itself is not trusted')
})

t.test('a UUID that many machines share says nothing about which one it is', async t => {
  const uuid = '00000000-0000-0000-0000-000000000000'
  const server = new Server({ machines: [machine({ macs: [], uuid })] })
  const { reply } = server.hears(discoverWith([[OPTION.clientUuid, new Uint8Array(17)]]))
  t.not(reply?.packet.yourAddress, '10.20.0.11')
})

t.test('every hardware address of a machine gets its address: the links of a bond share it', async t => {
  const server = new Server({ machines: [machine({ macs: [MAC, OTHER] })] })
  t.equal(server.gives(discover.bios).reply?.packet.yourAddress, '10.20.0.11')
  t.equal(server.gives({ ...discover.bios, mac: OTHER }).reply?.packet.yourAddress, '10.20.0.11')
})

t.test(
  'a reservation that changed moves the machine: NAK, then the new address, and the old one is free',
  async t => {
    const server = new Server({ machines: [machine()], leases: [lease('10.20.0.150', MAC)] })
    const refused = server.hears(renewing(discover.plain, '10.20.0.150'))
    t.equal(typeOf(refused), MESSAGE.nak)
    t.match(refused.events.at(-1), { kind: 'nak', text: /not the address of ctl-1, 10\.20\.0\.11/ })
    server.gives(discover.plain)
    t.equal(server.table.at('10.20.0.150'), undefined)
    t.equal(server.table.boundTo(MAC)?.address, '10.20.0.11')
  },
)

t.test('an address kept for a machine is given to no one else', async t => {
  const pool = { first: '10.20.0.100', last: '10.20.0.101' }
  const machines = [machine({ macs: [OTHER], address: '10.20.0.100' })]
  const server = new Server({ network: { ...network(), pool }, machines })
  t.equal(server.gives(discover.plain).reply?.packet.yourAddress, '10.20.0.101')
  t.equal(typeOf(server.hears(rebooting(discover.plain, '10.20.0.100'))), MESSAGE.nak)
})

t.test('who answers to REQUEST, and how', async t => {
  const mine = '10.20.0.120'
  const leases = [lease(mine, MAC), lease('10.20.0.121', OTHER)]
  const rows: [string, Packet, number | undefined][] = [
    ['selecting us', request(discover.plain, mine), MESSAGE.ack],
    ['selecting us, a free address', request(discover.plain, '10.20.0.130'), MESSAGE.ack],
    ['selecting us, another’s address', request(discover.plain, '10.20.0.121'), MESSAGE.nak],
    ['selecting another server', request(discover.plain, mine, '10.20.0.2'), undefined],
    ['another server, an address we refuse', request(discover.plain, '10.20.0.121', '10.20.0.2'), undefined],
    ['rebooting with its address', rebooting(discover.plain, mine), MESSAGE.ack],
    ['rebooting with a free one of the pool', rebooting(discover.plain, '10.20.0.130'), MESSAGE.ack],
    ['rebooting with another’s', rebooting(discover.plain, '10.20.0.121'), MESSAGE.nak],
    ['rebooting from another network', rebooting(discover.plain, '192.168.1.5'), MESSAGE.nak],
    ['renewing', renewing(discover.plain, mine), MESSAGE.ack],
    ['renewing another’s', renewing(discover.plain, '10.20.0.121'), MESSAGE.nak],
    ['asking for the gateway', rebooting(discover.plain, '10.20.0.1'), MESSAGE.nak],
    ['asking for the broadcast address', rebooting(discover.plain, '10.20.0.255'), MESSAGE.nak],
    ['asking for an address outside the pool', rebooting(discover.plain, '10.20.0.20'), MESSAGE.nak],
  ]
  for (const [what, packet, wanted] of rows)
    t.equal(typeOf(new Server({ leases }).hears(packet)), wanted, what)
})

t.test('where the reply goes (RFC 2131 §4.1)', async t => {
  const machines = [machine()]
  const everybody = { address: '255.255.255.255', port: 68 }
  const relay = { relayAddress: '10.20.0.254' }
  const wrong = '10.20.0.99'
  const rows: [string, Packet, { address: string; port: number }][] = [
    ['no address, no flag', discover.plain, everybody],
    ['broadcast flag', { ...discover.plain, broadcast: true }, everybody],
    ['relayed', { ...discover.plain, ...relay }, { address: '10.20.0.254', port: 67 }],
    ['renewing', renewing(discover.plain, '10.20.0.11'), { address: '10.20.0.11', port: 68 }],
    [
      'renewing by relay',
      { ...renewing(discover.plain, '10.20.0.11'), ...relay },
      { address: '10.20.0.254', port: 67 },
    ],
    ['NAK', rebooting(discover.plain, wrong), everybody],
    ['NAK to one with an address', renewing(discover.plain, wrong), everybody],
    ['NAK by relay', { ...rebooting(discover.plain, wrong), ...relay }, { address: '10.20.0.254', port: 67 }],
    [
      'INFORM',
      but(discover.plain, MESSAGE.inform, { clientAddress: '10.20.0.9' }),
      { address: '10.20.0.9', port: 68 },
    ],
  ]
  for (const [what, packet, to] of rows) t.same(new Server({ machines }).hears(packet).reply?.to, to, what)
  const nak = new Server({ machines }).hears({ ...rebooting(discover.plain, wrong), ...relay }).reply?.packet
  t.match(nak, { broadcast: true, yourAddress: '0.0.0.0', relayAddress: '10.20.0.254' })
})

t.test('nothing is sent to a client address that is neither of the subnet nor the sender’s', async t => {
  const server = new Server()
  const from = { address: '10.20.0.77', port: 68 }
  const asks = (type: number, clientAddress: string, sender = from) =>
    server.hears(but(discover.bios, type, { clientAddress }), 'dhcp', sender)
  const types = [MESSAGE.discover, MESSAGE.request, MESSAGE.inform]
  for (const address of [
    '8.8.8.8',
    '224.0.0.1',
    '255.255.255.255',
    '10.20.0.255',
    '10.20.0.0',
    '127.0.0.1',
  ]) {
    for (const type of types) {
      t.match(asks(type, address), { reply: undefined, silence: /nor the sender's/, events: [] }, address)
    }
  }
  t.equal(asks(MESSAGE.inform, '10.20.0.77').reply?.to.address, '10.20.0.77')
  t.equal(asks(MESSAGE.inform, '10.9.0.7', { address: '10.9.0.7', port: 68 }).reply?.to.address, '10.9.0.7')
  t.equal(
    typeOf(asks(MESSAGE.request, '10.9.0.7', { address: '10.9.0.7', port: 68 })),
    MESSAGE.nak,
    'a client that comes from another network learns it',
  )
})

const echoes = (length: number) => {
  const value = new Uint8Array(length)
  const codes = [OPTION.clientUuid, OPTION.clientIdentifier, OPTION.relayAgent]
  const options = new Map(codes.map(code => [code, value]))
  const { reply } = new Server().hears(but(discover.plain, MESSAGE.discover, {}, options))
  return codes.filter(code => reply?.packet.options.has(code)).length
}

t.test('sends back no option longer than one option is', async t => {
  t.equal(echoes(255), 3)
  t.equal(echoes(256), 0)
})

t.test('a declined address is given to no one for ten minutes, then free again', async t => {
  const server = new Server()
  const address = server.gives(discover.plain).reply?.packet.yourAddress ?? ''
  const decline = but(request(discover.plain, address), MESSAGE.decline, {})
  t.match(server.hears(decline), { reply: undefined, events: [{ kind: 'decline' }] })
  t.not(server.gives(discover.plain).reply?.packet.yourAddress, address)
  const another = { ...discover.plain, mac: OTHER }
  t.equal(typeOf(server.hears(rebooting(another, address))), MESSAGE.nak)
  server.now += SECONDS.declined * 1000
  t.equal(typeOf(server.hears(rebooting(another, address))), MESSAGE.ack)
})

const declining = (packet: Packet, address: string) => but(request(packet, address), MESSAGE.decline, {})

/** Another client for each number. */
const clientAt = (at: number): Packet => ({
  ...discover.plain,
  mac: `02:00:00:00:${[at >> 8, at & 255].map(byte => byte.toString(16).padStart(2, '0')).join(':')}`,
})

t.test(
  'an offer cannot be declined: it ends, and its address is looked at before another client gets it',
  async t => {
    const pool = { first: '10.20.0.100', last: '10.20.0.100' }
    const server = new Server({ network: { ...network(), pool } })
    const results = new Map<string, 'free' | 'used'>()
    server.probed = address => results.get(address)
    t.equal(server.hears(clientAt(1)).reply?.packet.yourAddress, '10.20.0.100')
    const { changes } = server.hears(declining(clientAt(1), '10.20.0.100'))
    t.match(changes, [{ kind: 'put', lease: { state: 'offered', expiresAt: NOW } }])
    t.equal(server.hears(clientAt(2)).probe, '10.20.0.100')
    results.set('10.20.0.100', 'free')
    t.equal(server.hears(clientAt(2)).reply?.packet.yourAddress, '10.20.0.100')
  },
)

t.test('floods of DISCOVER and DECLINE, with REQUEST or without, never empty the pool', async t => {
  const server = new Server() // 100 addresses
  server.probed = () => 'free'
  for (let at = 0; at < 1000; at += 1) {
    const client = clientAt(at)
    const gives = at % 2 === 0 ? server.hears(client) : server.gives(client)
    const address = gives.reply?.packet.yourAddress
    if (address === undefined) {
      t.fail(`no address for client ${at}`)
      break
    }
    server.hears(declining(client, address))
  }
  t.equal(server.table.declined(NOW).length, 10, 'a tenth of the pool')
})

t.test('where no address is free, the one that was declined first is looked at, and given', async t => {
  const pool = { first: '10.20.0.100', last: '10.20.0.119' }
  const leases = Array.from({ length: 18 }, (_, at) => lease(`10.20.0.${102 + at}`, clientAt(200 + at).mac))
  const server = new Server({ network: { ...network(), pool }, leases })
  const used = new Set<string>()
  server.probed = address => (used.has(address) ? 'used' : 'free')
  const declined = [1, 2].map(at => {
    const address = server.gives(clientAt(at)).reply?.packet.yourAddress ?? ''
    server.hears(declining(clientAt(at), address))
    server.now += 1000
    return address
  })
  used.add(declined[0] ?? '')
  t.equal(server.gives(clientAt(3)).reply?.packet.yourAddress, declined[1], 'the first is in use indeed')
  t.match(server.hears(clientAt(4)), { reply: undefined, silence: /is taken/ })
})

t.test('a client that declined an address gets it again only after it was looked at', async t => {
  const pool = { first: '10.20.0.100', last: '10.20.0.100' }
  const server = new Server({ network: { ...network(), pool } })
  server.probed = () => undefined
  const address = server.gives(discover.plain).reply?.packet.yourAddress ?? ''
  server.hears(declining(discover.plain, address))
  t.equal(server.hears(discover.plain).probe, address)
})

t.test('no client can decline or release the address of another', async t => {
  const server = new Server({ leases: [lease('10.20.0.120', OTHER)] })
  const decline = but(request(discover.plain, '10.20.0.120'), MESSAGE.decline, {})
  const release = but(discover.plain, MESSAGE.release, { clientAddress: '10.20.0.120' })
  for (const packet of [decline, release]) {
    t.match(server.hears(packet), { reply: undefined, silence: /not its own/, changes: [] })
  }
})

t.test('a reservation that is declined stays, and raises an alarm', async t => {
  const server = new Server({ machines: [machine()] })
  server.gives(discover.plain)
  const { changes, alarm, events } = server.hears(
    but(request(discover.plain, '10.20.0.11'), MESSAGE.decline, {}),
  )
  t.same(changes, [])
  t.match(alarm, /^ctl-1 found 10\.20\.0\.11 in use by another host\. It stays the address of ctl-1/)
  t.match(events, [{ kind: 'decline' }])
  t.equal(server.gives(discover.bios).reply?.packet.yourAddress, '10.20.0.11')
})

t.test('a released address rests for a minute, and goes back to its client when it returns', async t => {
  const server = new Server()
  const address = server.gives(discover.plain).reply?.packet.yourAddress ?? ''
  const release = but(discover.plain, MESSAGE.release, { clientAddress: address })
  server.hears(release, 'dhcp', { address, port: 68 })
  t.equal(server.table.at(address)?.expiresAt, NOW + SECONDS.rest * 1000)
  const another = { ...discover.plain, mac: OTHER }
  t.equal(typeOf(server.hears(rebooting(another, address))), MESSAGE.nak)
  t.equal(server.gives(discover.plain).reply?.packet.yourAddress, address)
})

t.test('a RELEASE that comes from another address changes nothing', async t => {
  const server = new Server()
  const address = server.gives(discover.plain).reply?.packet.yourAddress ?? ''
  const release = but(discover.plain, MESSAGE.release, { clientAddress: address })
  for (const from of ['0.0.0.0', '10.20.0.77', '10.20.0.254'])
    t.match(
      server.hears(release, 'dhcp', { address: from, port: 68 }),
      { changes: [], silence: /releases/ },
      from,
    )
  t.ok(server.table.at(address)!.expiresAt > NOW)
})

t.test('an address that another client had is looked at before it is offered', async t => {
  const pool = { first: '10.20.0.100', last: '10.20.0.102' }
  const leases = ['10.20.0.100', '10.20.0.101', '10.20.0.102'].map((address, at) =>
    lease(address, `52:54:00:99:99:0${at}`, { expiresAt: NOW - 10 + at }),
  )
  const server = new Server({ network: { ...network(), pool }, leases })
  const results = new Map<string, 'free' | 'used'>()
  server.probed = address => results.get(address)
  t.match(server.hears(discover.plain), { reply: undefined, probe: '10.20.0.100', events: [] })
  results.set('10.20.0.100', 'used')
  const next = server.hears(discover.plain)
  t.match(next, { reply: undefined, probe: '10.20.0.101' })
  t.match(next.changes, [{ kind: 'put', lease: { address: '10.20.0.100', state: 'declined' } }])
  results.set('10.20.0.101', 'free')
  t.equal(server.gives(discover.plain).reply?.packet.yourAddress, '10.20.0.101')
})

t.test('a full pool takes the lease that expired longest ago, then goes silent with a reason', async t => {
  const pool = { first: '10.20.0.100', last: '10.20.0.102' }
  const leases = [
    lease('10.20.0.100', OTHER),
    lease('10.20.0.101', OTHER, { expiresAt: NOW - 5 }),
    lease('10.20.0.102', OTHER, { expiresAt: NOW - 9 }),
  ]
  const server = new Server({ network: { ...network(), pool }, leases })
  t.equal(server.gives(discover.plain).reply?.packet.yourAddress, '10.20.0.102')
  server.gives({ ...discover.plain, mac: '52:54:00:00:00:07' })
  const { silence } = server.hears({ ...discover.plain, mac: '52:54:00:00:00:08' })
  t.match(silence, /every address of the pool 10\.20\.0\.100 to 10\.20\.0\.102 is taken/)
})

t.test(
  'an offer is not a lease: it changes nothing that must be kept, and never shortens a lease',
  async t => {
    const server = new Server({ leases: [lease('10.20.0.120', MAC)] })
    t.same(server.hears(discover.bios).changes, [])
    const fresh = new Server().hears(discover.bios)
    t.match(fresh.changes, [
      { kind: 'put', lease: { state: 'offered', expiresAt: NOW + SECONDS.offer * 1000 } },
    ])
  },
)

t.test('leases are short while a machine boots, and long for a declared machine’s system', async t => {
  const seconds = (server: Server, packet: Packet) =>
    numberIn(server.gives(packet).reply!.packet.options, OPTION.leaseSeconds)
  t.equal(seconds(new Server({ machines: [machine()] }), discover.bios), SECONDS.boot)
  t.equal(seconds(new Server({ machines: [machine()] }), discover.plain), SECONDS.machine)
})

t.test('a lease of an undeclared client is short until it renews it or fetched something', async t => {
  const server = new Server()
  const { reply } = server.gives(discover.plain)
  const address = reply?.packet.yourAddress ?? ''
  t.equal(numberIn(reply!.packet.options, OPTION.leaseSeconds), SECONDS.first)
  t.equal(secondsOf(server.hears(renewing(discover.plain, address))), SECONDS.first, 'from another address')
  const from = { address, port: 68 }
  t.equal(secondsOf(server.hears(renewing(discover.plain, address), 'dhcp', from)), SECONDS.unknown)
  t.equal(secondsOf(server.gives(discover.plain)), SECONDS.unknown, 'from now on')
  const other = { ...discover.bios, mac: OTHER }
  t.equal(secondsOf(server.gives(other)), SECONDS.first)
  server.table.sawAlive(OTHER)
  t.equal(secondsOf(server.gives(other)), SECONDS.boot)
})

t.test('a full pool of 65,000 gives the one address whose lease ended', async t => {
  const pool = { first: '10.20.1.0', last: '10.20.254.255' }
  const subnet = '10.20.0.0/16'
  const leases = Array.from({ length: 254 * 256 }, (_, at) =>
    lease(`10.20.${1 + (at >> 8)}.${at & 255}`, `02:00:00:00:${hex(at >> 8)}:${hex(at & 255)}`, {
      expiresAt: NOW + 60_000 + at,
    }),
  )
  const server = new Server({ network: { ...network(), subnet, pool }, leases })
  t.equal(server.hears(discover.plain).reply, undefined)
  server.now += 60_000
  t.equal(server.gives(discover.plain).reply?.packet.yourAddress, '10.20.1.0', 'the first that ended')
  t.equal(server.hears({ ...discover.plain, mac: OTHER }).reply, undefined, 'no other has ended')
})

const secondsOf = ({ reply }: Decision) => numberIn(reply!.packet.options, OPTION.leaseSeconds)

const hex = (byte: number) => byte.toString(16).padStart(2, '0')

t.test('INFORM gets the settings, without an address or a lease time', async t => {
  const { reply, changes } = new Server().hears(
    but(discover.plain, MESSAGE.inform, { clientAddress: '10.20.0.9' }),
  )
  t.match(reply?.packet, { yourAddress: '0.0.0.0', clientAddress: '10.20.0.9' })
  t.equal(messageTypeOf(reply!.packet), MESSAGE.ack)
  t.equal(reply?.packet.options.has(OPTION.leaseSeconds), false)
  t.equal(addressIn(reply!.packet.options, OPTION.router), '10.20.0.1')
  t.same(changes, [])
})

t.test('a proxy offers a file and no address, and only to who boots by network', async t => {
  const server = new Server({ network: network('proxy'), machines: [machine()] })
  for (const packet of [discover.bios, discover.uefi, discover.ipxe, discover.http]) {
    const { reply, changes } = server.hears(packet)
    t.match(reply?.packet, { yourAddress: '0.0.0.0', bootFile: /./ })
    t.equal(reply?.packet.options.has(OPTION.leaseSeconds), false)
    t.equal(reply?.packet.options.has(OPTION.router), false)
    t.same(changes, [])
  }
  t.match(server.hears(discover.plain), { reply: undefined, silence: /operating system/ })
  t.equal(server.hears(request(discover.uefi, '10.20.0.50', '10.20.0.2')).reply, undefined)
})

t.test('a proxy hears the address of a declared machine from the machine alone', async t => {
  const server = new Server({ network: network('proxy'), machines: [machine()] })
  server.hears(request(discover.bios, '10.20.0.11', '10.20.0.2'))
  t.match(server.table.at('10.20.0.11'), { mac: MAC, state: 'bound' }, 'it is kept on disk')
  server.hears(request({ ...discover.bios, mac: OTHER }, '10.20.0.11', '10.20.0.2'))
  t.match(server.table.at('10.20.0.11'), { mac: MAC })
  const { events } = server.hears(request(discover.bios, '10.20.0.88', '10.20.0.2'))
  t.equal(server.table.at('10.20.0.88'), undefined, 'in its name for another address')
  t.equal(events[0]?.detail['from'], undefined)
})

t.test('a proxy learns from the REQUEST to the other server whose address it is', async t => {
  const server = new Server({ network: network('proxy') })
  server.hears(request(discover.uefi, '10.20.0.50', '10.20.0.2'))
  t.equal(server.table.at('10.20.0.50')?.mac, MAC)
})

t.test('port 4011 names the same file in both modes, to the port that asked', async t => {
  for (const mode of ['full', 'proxy'] as const) {
    const from = { address: '10.20.0.50', port: 4011 }
    const packet = but(discover.uefi, MESSAGE.request, { clientAddress: '10.20.0.50' })
    const { reply } = new Server({ network: network(mode) }).hears(packet, 'pxe', from)
    t.same(reply?.to, from)
    t.match(reply?.packet, { bootFile: 'snponly.efi', yourAddress: '0.0.0.0' })
    t.equal(messageTypeOf(reply!.packet), MESSAGE.ack)
  }
})

t.test('silence always has a reason', async t => {
  const rows: [Packet, RegExp][] = [
    [{ ...discover.plain, op: 'reply' }, /another server/],
    [{ ...discover.plain, hardwareType: 32 }, /not an Ethernet client/],
    [{ ...discover.plain, relayAddress: '10.99.0.1' }, /relay 10\.99\.0\.1 is outside/],
    [{ ...discover.plain, options: new Map() }, /message type none/],
    [but(discover.plain, MESSAGE.offer, {}), /message type 2/],
  ]
  for (const [packet, reason] of rows)
    t.match(new Server().hears(packet), { reply: undefined, silence: reason })
  t.match(new Server({ network: network('off') }).hears(discover.plain).silence, /DHCP is off/)
})

t.test('relay information comes back as the last option, and the UUID as it was', async t => {
  const relayed = {
    ...discoverWith([
      [OPTION.relayAgent, Uint8Array.of(1, 2, 3, 4)],
      [OPTION.clientUuid, Uint8Array.of(0, 1, 2)], // odd-sized: never refused
    ]),
    relayAddress: '10.20.0.254',
  }
  const options = new Server().hears(relayed).reply!.packet.options
  t.equal([...options.keys()].at(-1), OPTION.relayAgent)
  t.same(options.get(OPTION.clientUuid), Uint8Array.of(0, 1, 2))
})

t.test('a boot leaves sentences in the journal, and says when it may begin', async t => {
  const server = new Server({ machines: [machine()] })
  t.match(server.hears(discover.uefi).events, [
    { kind: 'discover', text: 'PXE firmware, x86-64 UEFI looks for a server', startsBoot: true },
    { kind: 'offer', text: 'offers 10.20.0.11, next snponly.efi by TFTP', detail: { machine: 'ctl-1' } },
  ])
  t.equal(server.hears(discover.plain).events[0]?.startsBoot, undefined)
  t.match(server.hears(firmware(6)).events.at(-1)?.text, /but no loader for x86 UEFI, 32 bits/)
})

t.test('whatever is asked, no two clients hold one address, and none outside its bounds', async () => {
  const pool = { first: '10.20.0.100', last: '10.20.0.104' }
  const macs = [MAC, ...[1, 2, 3, 4, 5, 6].map(number => `52:54:00:99:99:0${number}`)]
  const wanted = fc.constantFrom('10.20.0.11', '10.20.0.99', '10.20.0.100', '10.20.0.102', '10.20.0.104')
  const step = fc.record({
    mac: fc.constantFrom(...macs),
    ask: fc.constantFrom('gives', 'rebooting', 'renewing', 'decline', 'release', 'wait'),
    wanted,
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const server = new Server({ network: { ...network(), pool }, machines: [machine()] })
      const held = new Map<string, string>()
      for (const { mac, ask, wanted } of steps) {
        const from = { ...discover.plain, mac }
        let decision: Decision | undefined
        if (ask === 'wait') {
          server.now += 7_200_000
          held.clear()
        } else if (ask === 'gives') decision = server.gives(from)
        else if (ask === 'rebooting') decision = server.hears(rebooting(from, wanted))
        else if (ask === 'renewing') decision = server.hears(renewing(from, wanted))
        else if (held.get(mac) !== undefined) {
          const type = ask === 'decline' ? MESSAGE.decline : MESSAGE.release
          const address = held.get(mac)!
          server.hears(but(from, type, { clientAddress: address }), 'dhcp', { address, port: 68 })
          held.delete(mac)
        }
        if (decision?.reply === undefined || typeOf(decision) !== MESSAGE.ack) continue
        const address = decision.reply.packet.yourAddress
        if ((mac === MAC) !== (address === '10.20.0.11')) return false
        held.delete(mac)
        if ([...held.values()].includes(address)) return false
        held.set(mac, address)
      }
      return true
    }),
  )
})

t.test('no packet that decodes makes the decision throw', async () => {
  const message = fc
    .tuple(anyPacket, fc.integer({ min: 0, max: 9 }))
    .map(([packet, type]) => but({ ...packet, op: 'request', hardwareType: 1 }, type, {}))
  fc.assert(
    fc.property(
      message,
      fc.constantFrom('full', 'proxy'),
      fc.constantFrom('dhcp', 'pxe'),
      (packet, mode, service) => {
        const { reply, silence } = new Server({ network: network(mode) }).hears(
          { ...packet, mac: MAC },
          service,
        )
        return (reply === undefined) !== (silence === undefined)
      },
    ),
  )
})
