// One host of the segment, run in its network namespace: it does what its test says, a line of JSON at a time, and
// answers each with a line. What it sends is what anyone on such a wire can send.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { get } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { run } from '#host/command.ts'
import { causesOf } from '#server/log.ts'
import { decodeReply, encodeDiscover, encodeRequest } from '../../lab/netboot/dhcp.ts'
import { askForAddress, readByTftp } from '../../lab/netboot/exchange.ts'

/** One thing to do. */
export type Order =
  /** Takes an address by DHCP as the firmware or the loader of `mac`, and sets it unless `keep` is false. */
  | { do: 'dhcp'; mac: string; uuid: string; stage: 'firmware' | 'ipxe'; keep?: boolean }
  /** One DISCOVER, or one REQUEST of an address, and no ear for the answer. `by: 'system'`: nothing in it is of firmware. */
  | { do: 'discover'; mac: string; uuid: string; port?: string }
  | {
      do: 'request'
      mac: string
      uuid: string
      address: string
      server: string
      port?: string
      by?: 'system'
    }
  /** A RELEASE of an address in the name of `mac`. */
  | { do: 'release'; mac: string; address: string; server: string }
  /** A DECLINE of an address in the name of `mac`. */
  | { do: 'decline'; mac: string; address: string; server: string }
  /**
   * A DISCOVER of each client right behind `behind` of new hardware addresses, and again for those without an offer in
   * time; gives the MACs that got one, as JSON.
   */
  | {
      do: 'offers'
      clients: readonly { mac: string; uuid: string }[]
      behind?: number
      tries: number
      limitMs: number
    }
  /** DISCOVERs of so many MACs from `first` on (a number), one after the other and over again. */
  | { do: 'dhcp-flood'; first: number; macs: number; perSecond: number; seconds: number }
  /** The bytes of the first answer to a TFTP read request, sent from one of this host's addresses; 0 after two seconds. */
  | { do: 'tftp'; from: string; server: string; file: string }
  /** Reads a whole file by TFTP. */
  | { do: 'loader'; server: string; file: string }
  | { do: 'address'; address: string }
  /** Makes every address of a subnet one of this host's, or says by which host it is reached. */
  | { do: 'own'; subnet: string }
  | { do: 'route'; subnet: string; via: string }
  /** Asks for each path in turn from so many addresses, `10.99.0.0` and on; gives how many answers had each status. */
  | { do: 'flood'; base: string; paths: readonly string[]; addresses: number }
  | { do: 'fetch'; url: string; method?: string; headers?: Record<string, string>; body?: string }

/** The result of an order; which fields are there depends on `do`. */
export type Done = {
  readonly error?: string
  readonly address?: string
  readonly leaseSeconds?: number
  readonly bytes?: number
  readonly status?: number
  /** The body: as text, and its bytes in base64. */
  readonly text?: string
  readonly base64?: string
  readonly headers?: Record<string, string>
}

// Before the loop, which does not end.
const ZERO_UUID = '00000000-0000-0000-0000-000000000000'

if (import.meta.main) {
  // The authority of the server is what a test is about elsewhere; here the machine takes whatever certificate it gets.
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  process.removeAllListeners('warning')
  for await (const line of createInterface(process.stdin)) {
    const { id, order } = JSON.parse(line) as { id: number; order: Order }
    void follow(order)
      .catch((error: Error): Done => ({ error: causesOf(error) }))
      .then(done => process.stdout.write(`${JSON.stringify({ id, done })}\n`))
  }
}

async function follow(order: Order): Promise<Done> {
  switch (order.do) {
    case 'dhcp': {
      const { address, prefix, leaseSeconds } = await askForAddress(order, AbortSignal.timeout(10_000))
      if (order.keep !== false && address !== '0.0.0.0') await setAddress(`${address}/${prefix}`)
      return { address, leaseSeconds }
    }
    case 'discover':
      await send(atPort(encodeDiscover({ ...order, stage: 'firmware' }, 7, 0), order.port))
      return {}
    case 'request': {
      const offer = { kind: 'offer', transaction: 7, prefix: 24, dns: [], leaseSeconds: 0 } as const
      const given = { ...offer, address: order.address, server: order.server, nextServer: '', file: '' }
      const packet = encodeRequest({ ...order, stage: 'firmware' }, given, 0)
      await send(atPort(order.by === 'system' ? asOfSystem(packet) : packet, order.port))
      return {}
    }
    case 'release': {
      const packet = encodeDiscover({ mac: order.mac, uuid: ZERO_UUID, stage: 'firmware' }, 7, 0)
      packet.set(order.address.split('.').map(Number), 12) // ciaddr
      const type = packet.findIndex((byte, at) => at >= 240 && byte === 53)
      packet[type + 2] = 7
      await send(packet, order.server)
      return {}
    }
    case 'decline': {
      const offer = { kind: 'offer', transaction: 7, prefix: 24, dns: [], leaseSeconds: 0 } as const
      const given = { ...offer, address: order.address, server: order.server, nextServer: '', file: '' }
      const packet = encodeRequest({ mac: order.mac, uuid: ZERO_UUID, stage: 'firmware' }, given, 0)
      const type = packet.findIndex((byte, at) => at >= 240 && byte === 53)
      packet[type + 2] = 4
      await send(packet)
      return {}
    }
    case 'offers':
      return { text: JSON.stringify(await offers(order)) }
    case 'dhcp-flood':
      return { text: String(await floodDhcp(order)) }
    case 'loader':
      return { bytes: await readByTftp(order.server, order.file) }
    case 'tftp':
      return { bytes: await firstBlock(order) }
    case 'address':
      await setAddress(order.address)
      return {}
    case 'own':
      await run('ip', ['route', 'add', 'local', order.subnet, 'dev', 'lo'], { limitSeconds: 5 })
      return {}
    case 'route':
      await run('ip', ['route', 'add', order.subnet, 'via', order.via], { limitSeconds: 5 })
      return {}
    case 'flood':
      return { text: JSON.stringify(await flood(order)) }
    case 'fetch':
    default: {
      const { url, method = 'GET', headers = {}, body } = order
      const init = { method, headers: { connection: 'close', ...headers }, redirect: 'manual' } as const
      const answer = await fetch(url, { ...init, ...(body === undefined ? {} : { body }) })
      const bytes = Buffer.from(await answer.arrayBuffer())
      const fields = Object.fromEntries(answer.headers)
      return { status: answer.status, base64: bytes.toString('base64'), headers: fields }
    }
  }
}

async function offers({
  clients,
  behind = 0,
  tries,
  limitMs,
}: Extract<Order, { do: 'offers' }>): Promise<string[]> {
  const socket = await dhcpSocket()
  const asked = new Set(clients.map(({ mac }) => mac))
  const got = new Set<string>()
  const stranger = Buffer.from(
    encodeDiscover({ mac: '02:01:00:00:00:00', uuid: ZERO_UUID, stage: 'firmware' }, 7, 0),
  )
  socket.on('message', bytes => {
    const mac = bytes
      .subarray(28, 34)
      .toString('hex')
      .replaceAll(/(..)(?=.)/g, '$1:')
    if (asked.has(mac) && decodeReply(bytes, mac)?.kind === 'offer') got.add(mac)
  })
  for (let round = 0; round < tries; round += 1) {
    for (const { mac, uuid } of clients.filter(client => !got.has(client.mac))) {
      for (let before = 0; before < behind; before += 1) {
        stranger.writeUInt32BE(Math.floor(Math.random() * 2 ** 32), 30)
        socket.send(Buffer.from(stranger), 67, '255.255.255.255')
      }
      socket.send(encodeDiscover({ mac, uuid, stage: 'firmware' }, 7, 0), 67, '255.255.255.255')
      await setTimeout(20)
    }
    const until = performance.now() + limitMs
    while (got.size < clients.length && performance.now() < until) await setTimeout(5)
  }
  socket.close()
  return clients.flatMap(({ mac }) => (got.has(mac) ? [mac] : []))
}

async function floodDhcp({
  first,
  macs,
  perSecond,
  seconds,
}: Extract<Order, { do: 'dhcp-flood' }>): Promise<number> {
  const socket = createSocket({ type: 'udp4', sendBufferSize: 1 << 20 }).bind(0)
  await once(socket, 'listening')
  socket.setBroadcast(true)
  const packet = encodeDiscover({ mac: '02:00:00:00:00:00', uuid: ZERO_UUID, stage: 'firmware' }, 7, 0)
  const began = performance.now()
  let sent = 0
  for (let elapsed = 0; elapsed < seconds; elapsed = (performance.now() - began) / 1000) {
    for (; sent < elapsed * perSecond; sent += 1) {
      const bytes = Buffer.from(packet)
      bytes.writeUIntBE(first + (sent % macs), 28, 6)
      socket.send(bytes, 67, '255.255.255.255', () => {})
    }
    await setTimeout(1)
  }
  socket.close()
  return sent
}

async function firstBlock({ from, server, file }: Extract<Order, { do: 'tftp' }>): Promise<number> {
  const socket = createSocket('udp4').bind(0, from)
  await once(socket, 'listening')
  const answered = once(socket, 'message', { signal: AbortSignal.timeout(2000) })
  socket.send(`\0\x01${file}\0octet\0`, 69, server)
  try {
    const [bytes] = (await answered) as [Buffer]
    return bytes.length
  } catch {
    return 0 // in time there was none
  } finally {
    socket.close()
  }
}

/** Asks from many addresses, sixteen at a time. */
async function flood({
  base,
  paths,
  addresses,
}: Extract<Order, { do: 'flood' }>): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {}
  let next = 0
  const ask = async () => {
    for (let at = next++; at < addresses; at = next++) {
      for (const path of paths) {
        const status = await statusFrom(`10.99.${at >> 8}.${at & 255}`, `${base}${path}`)
        statuses[status] = (statuses[status] ?? 0) + 1
      }
    }
  }
  await Promise.all(Array.from({ length: 16 }, ask))
  return statuses
}

function statusFrom(localAddress: string, url: string): Promise<string> {
  return new Promise(resolve => {
    const asked = get(url, { localAddress, agent: false, timeout: 10_000 }, answer => {
      answer.resume().on('end', () => resolve(String(answer.statusCode)))
    })
    asked.on('timeout', () => asked.destroy(new Error('timeout')))
    asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

/** The packet as a relay at 10.20.0.2 hands it on: with its own address (giaddr) and the switch port (option 82). */
function atPort(packet: Uint8Array, port: string | undefined): Uint8Array {
  if (port === undefined) return packet
  const end = packet.lastIndexOf(255)
  const circuit = Buffer.from(port)
  const relayed = Buffer.concat([
    packet.subarray(0, end),
    Buffer.of(82, circuit.length + 2, 1, circuit.length),
    circuit,
    Buffer.of(255),
  ])
  relayed.set([10, 20, 0, 2], 24)
  return relayed
}

/** The packet without what firmware says of itself (options 60, 77, 93, 94, 97, 175): those become options for private use. */
function asOfSystem(packet: Uint8Array): Uint8Array {
  const plain = Uint8Array.from(packet)
  for (let at = 240; at < plain.length && plain[at] !== 255; at += 2 + (plain[at + 1] ?? 0)) {
    if ([60, 77, 93, 94, 97, 175].includes(plain[at] ?? 0)) plain[at] = 240
  }
  return plain
}

async function setAddress(address: string): Promise<void> {
  const lines = [
    'address flush dev eth0',
    `address add ${address} dev eth0`,
    'route replace default dev eth0',
  ]
  await run('ip', ['-batch', '-'], { limitSeconds: 5, input: `${lines.join('\n')}\n` })
}

async function dhcpSocket(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true, recvBufferSize: 1 << 20 }).bind(68)
  await once(socket, 'listening')
  socket.setBroadcast(true)
  return socket
}

async function send(packet: Uint8Array, to = '255.255.255.255'): Promise<void> {
  const socket = await dhcpSocket()
  try {
    await new Promise<void>((resolve, reject) =>
      socket.send(packet, 67, to, error => (error ? reject(error) : resolve())),
    )
  } finally {
    socket.close()
  }
}
