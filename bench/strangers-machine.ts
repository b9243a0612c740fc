// The declared machine of bench/strangers.ts: boots some times a second, as far as its Ignition config, and
// prints what it measured as one line of JSON. `strangers-machine.ts JSON`. Its address is on its interface already.

import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { request } from 'node:http'

/** Which machine, and for how long. */
export type Machine = {
  readonly seconds: number
  /** `boot`: one boot after the other. `dhcp`: exchanges of `machines` machines, 16 at a time. */
  readonly what: 'boot' | 'dhcp'
  readonly server: string
  readonly address: string
  readonly machines: number
  /** The machine is declared by this UUID alone: each boot has a hardware address that is new. */
  readonly uuid?: string
}

/** What it measured, in milliseconds; a packet that was not answered counts with its wait. */
export type Measured = {
  readonly boots: readonly number[]
  readonly dhcp: readonly number[]
  readonly exchangesASecond: number
}

/** The MAC address of declared machine `n`. */
export function macOf(n: number): string {
  return `52:54:${[24, 16, 8, 0].map(bits => ((n >> bits) & 255).toString(16).padStart(2, '0')).join(':')}`
}

/** Between two boots: the server takes 20 DHCP packets a second of one machine, and a boot here sends four. */
const PAUSE_MS = 200

/** How long a client waits before it asks again. */
const PATIENCE_MS = 2000

if (import.meta.main) {
  const machine = JSON.parse(process.argv[2] ?? '{}') as Machine
  console.log(JSON.stringify(machine.what === 'boot' ? await bootFor(machine) : await exchangeFor(machine)))
  process.exit()
}

async function bootFor({ seconds, server, address, uuid }: Machine): Promise<Measured> {
  const socket = await client()
  const boots: number[] = []
  const dhcp: number[] = []
  const end = performance.now() + seconds * 1000
  while (performance.now() < end) {
    const began = performance.now()
    const mac = uuid === undefined ? macOf(1) : randomMac()
    for (let turn = 0; turn < 2; turn += 1) {
      // Firmware, then the loader.
      await asked(socket, discover(mac, undefined, undefined, uuid), 2, dhcp)
      await asked(socket, discover(mac, address, server, uuid), 5, dhcp)
    }
    await readFile(server, address)
    const labels = `mac=${mac}${uuid === undefined ? '' : `&uuid=${uuid}`}`
    for (const path of ['/boot.ipxe', `/ipxe?${labels}`, `/ignition?${labels}`])
      await get(server, address, path)
    boots.push(performance.now() - began)
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
  return { boots, dhcp, exchangesASecond: 0 }
}

async function exchangeFor({ seconds, server, machines }: Machine): Promise<Measured> {
  const socket = await client()
  const end = performance.now() + seconds * 1000
  let done = 0
  let next = 0
  const begin = () => {
    const mac = macOf((next += 1) % machines)
    socket.send(discover(mac), 67, '255.255.255.255')
  }
  socket.on('message', bytes => {
    const mac = bytes
      .subarray(28, 34)
      .toString('hex')
      .replaceAll(/(..)(?=.)/g, '$1:')
    const offered = [...bytes.subarray(16, 20)].join('.')
    if (typeOf(bytes) === 2) return socket.send(discover(mac, offered, server), 67, '255.255.255.255')
    if (typeOf(bytes) !== 5) return
    done += 1
    if (performance.now() < end) begin()
  })
  for (let at = 0; at < 16; at += 1) begin()
  const lost = setInterval(begin, 200) // in place of one whose answer was lost
  await new Promise(resolve => setTimeout(resolve, seconds * 1000))
  clearInterval(lost)
  return { boots: [], dhcp: [], exchangesASecond: Math.round(done / seconds) }
}

async function client(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true, recvBufferSize: 1 << 20 })
  socket.bind(68)
  await once(socket, 'listening')
  socket.setBroadcast(true)
  return socket
}

/** Sends a packet until its answer is there. */
async function asked(socket: Socket, packet: Buffer, type: number, times: number[]): Promise<void> {
  const mac = packet.subarray(28, 34)
  for (;;) {
    const began = performance.now()
    const answered = new Promise<boolean>(resolve => {
      const hear = (bytes: Buffer) => {
        if (typeOf(bytes) !== type || !bytes.subarray(28, 34).equals(mac)) return
        clearTimeout(timer)
        socket.off('message', hear)
        resolve(true)
      }
      const timer = setTimeout(() => {
        socket.off('message', hear)
        resolve(false)
      }, PATIENCE_MS)
      socket.on('message', hear)
    })
    socket.send(packet, 67, '255.255.255.255')
    const isThere = await answered
    times.push(performance.now() - began)
    if (isThere) return
  }
}

function randomMac(): string {
  const hex = randomBytes(4).toString('hex')
  return `06:00:${hex.replaceAll(/(..)(?=.)/g, '$1:')}`
}

/** A DISCOVER of UEFI firmware; with an address the REQUEST that takes it. */
export function discover(mac: string, address?: string, server?: string, uuid?: string): Buffer {
  const packet = Buffer.alloc(300)
  packet.set([1, 1, 6, 0, 1, 2, 3, 4])
  packet.writeUInt16BE(0x8000, 10)
  packet.set(Buffer.from(mac.replaceAll(':', ''), 'hex'), 28)
  packet.writeUInt32BE(0x63825363, 236)
  const more =
    address === undefined || server === undefined
      ? []
      : [50, 4, ...bytesOf(address), 54, 4, ...bytesOf(server)]
  const type = more.length === 0 ? 1 : 3
  const name = uuid === undefined ? [] : [97, 17, 0, ...Buffer.from(uuid.replaceAll('-', ''), 'hex')]
  packet.set([53, 1, type, 93, 2, 0, 0, 60, 9, ...Buffer.from('PXEClient'), ...name, ...more, 255], 240)
  return packet
}

function bytesOf(dotted: string): number[] {
  return dotted.split('.').map(Number)
}

/** The message type of a reply, which our replies have first. */
export function typeOf(bytes: Buffer): number {
  return bytes[240] === 53 ? (bytes[242] ?? 0) : 0
}

/** Reads the loader, 1,468 bytes a block; asks again after a second of silence, as firmware does. */
async function readFile(server: string, address: string): Promise<void> {
  const socket = createSocket('udp4')
  socket.bind(0, address)
  await once(socket, 'listening')
  const ask = Buffer.from('\0\x01undionly.kpxe\0octet\0blksize\x001468\0', 'latin1')
  await new Promise<void>(resolve => {
    let again = setTimeout(() => {})
    let last = 0
    const wait = () => {
      clearTimeout(again)
      again = setTimeout(() => {
        last = 0
        socket.send(ask, 69, server)
        wait()
      }, 1000)
    }
    socket.on('message', (bytes, from) => {
      const [, code = 0] = bytes
      const block = code === 6 ? 0 : bytes.readUInt16BE(2)
      if (code === 5 || (code === 3 && block !== last + 1)) return
      last = block
      socket.send(Buffer.from([0, 4, block >> 8, block & 255]), from.port, server)
      wait()
      if (code !== 3 || bytes.length === 4 + 1468) return
      clearTimeout(again)
      resolve()
    })
    socket.send(ask, 69, server)
    wait()
  })
  socket.close()
}

/** Asks until it is answered with 200. */
async function get(server: string, address: string, path: string): Promise<void> {
  for (;;) {
    const status = await new Promise<number>(resolve => {
      const asking = request({
        host: server,
        port: 8080,
        path,
        localAddress: address,
        agent: false,
        timeout: PATIENCE_MS,
      })
      asking.on('response', reply => {
        reply.resume().on('end', () => resolve(reply.statusCode ?? 0))
        reply.on('error', () => resolve(0))
      })
      asking.on('timeout', () => asking.destroy())
      asking.on('error', () => resolve(0))
      asking.end()
    })
    if (status === 200) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
