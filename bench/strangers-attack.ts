// The attackers of bench/strangers.ts, in a separate process: `strangers-attack.ts JSON`. Runs until it is ended.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'

/** The attacks to run, and their target. */
export type Attack = {
  /** `explain`: 20 connections that pipeline 1,000 explanations each. `macs`: a DISCOVER of a new random MAC after the other. */
  /** `declared`: the same with the MACs of all declared machines but the one that boots, by turns. */
  /** `tftp`: 1,000 reads that are never acknowledged. `machines`: 8 readers of the list of machines. */
  readonly name: 'explain' | 'macs' | 'declared' | 'tftp' | 'machines'
  readonly host: string
  /** TCP or UDP port. */
  readonly port: number
  /** How many machines are declared. */
  readonly machines: number
}

if (import.meta.main) await attack(JSON.parse(process.argv[2] ?? '{}') as Attack)

async function attack({ name, host, port, machines }: Attack): Promise<void> {
  if (name === 'explain') {
    const requests = `GET /v1/explain?mac=52:54:00:00:00:01 HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(1000)
    await Promise.all(Array.from({ length: 20 }, () => forEver(() => send(host, port, requests))))
  } else if (name === 'machines') {
    const one = `GET /machines HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
    await Promise.all(Array.from({ length: 8 }, () => forEver(() => send(host, port, one))))
  } else if (name === 'macs') await sendMacs(host, port, at => 0x0200_0000_0000 + ((at * 2654435761) >>> 0))
  else if (name === 'declared') await sendMacs(host, port, at => 0x5254_0000_0002 + (at % (machines - 2)))
  else await forEver(() => readsWithoutAcks(host, port))
}

async function forEver(work: () => Promise<void>): Promise<void> {
  for (;;) {
    await work()
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** Sends requests on one connection, and reads until it is closed or all answers may be there. */
async function send(host: string, port: number, requests: string): Promise<void> {
  const socket = connect(port, host)
  socket.on('error', () => {}) // reset is a way to refuse
  socket.setTimeout(5000, () => socket.destroy())
  socket.write(requests)
  socket.resume()
  await once(socket, 'close').catch(() => {})
}

/** A DISCOVER of UEFI firmware from one hardware address after the other; at most 20,000 a second. */
async function sendMacs(host: string, port: number, macOf: (at: number) => number): Promise<void> {
  const socket = createSocket({ type: 'udp4', sendBufferSize: 1 << 20 })
  socket.bind(0)
  await once(socket, 'listening')
  socket.setBroadcast(true)
  const packet = Buffer.alloc(300)
  packet.set([1, 1, 6, 0])
  packet.writeUInt16BE(0x8000, 10)
  packet.writeUInt32BE(0x63825363, 236)
  packet.set([53, 1, 1, 93, 2, 0, 7, 60, 9, ...Buffer.from('PXEClient'), 255], 240)
  for (let sent = 0; ; sent += 20) {
    for (let at = 0; at < 20; at += 1) {
      const bytes = Buffer.from(packet)
      bytes.writeUInt32BE(sent + at, 4)
      bytes.writeUIntBE(macOf(sent + at), 28, 6)
      socket.send(bytes, port, host, () => {})
    }
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

async function readsWithoutAcks(host: string, port: number): Promise<void> {
  const request = Buffer.from('\0\x01undionly.kpxe\0octet\0', 'latin1')
  const sockets = Array.from({ length: 1000 }, () => createSocket('udp4'))
  for (const socket of sockets) {
    socket.on('error', () => {})
    socket.send(request, port, host, () => {})
  }
  await new Promise(resolve => setTimeout(resolve, 4000))
  for (const socket of sockets) socket.close()
}
