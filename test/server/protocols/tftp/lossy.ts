// A UDP proxy that loses packets, the same ones for the same seed: this kernel has no netem, and a test must repeat.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** A running proxy. */
export type LossyProxy = { readonly port: number; readonly lost: () => number; close(): void }

/** A relay between TFTP clients and the server on `port` of 127.0.0.1, which loses `share` (0 to 1) of all packets. */
export async function openLossyProxy(port: number, share: number, seed: number): Promise<LossyProxy> {
  const sockets: Socket[] = []
  const chance = randomFrom(seed)
  let lost = 0
  const arrives = () => {
    if (chance() >= share) return true
    lost += 1
    return false
  }
  // To the client, one proxy port is one port of the server: per client one socket that faces the server, and per
  // port of the server that answers one socket that faces the client.
  const front = await open()
  const clients = new Map<number, Promise<Socket>>()
  front.on('message', (bytes, client) => {
    if (!arrives()) return
    const back = clients.get(client.port) ?? backFor(client.port)
    clients.set(client.port, back)
    void back.then(socket => socket.send(bytes, port, '127.0.0.1'))
  })

  async function backFor(clientPort: number): Promise<Socket> {
    const back = await open()
    const faces = new Map<number, Promise<Socket>>()
    back.on('message', (bytes, server) => {
      if (!arrives()) return
      const face = faces.get(server.port) ?? faceFor(server.port)
      faces.set(server.port, face)
      void face.then(socket => socket.send(bytes, clientPort, '127.0.0.1'))
    })
    async function faceFor(serverPort: number): Promise<Socket> {
      const face = await open()
      face.on('message', bytes => {
        if (arrives()) back.send(bytes, serverPort, '127.0.0.1')
      })
      return face
    }
    return back
  }

  async function open(): Promise<Socket> {
    const socket = createSocket('udp4')
    sockets.push(socket)
    socket.on('error', () => {}) // a peer that has stopped: what is sent to it is lost, as on a wire
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return socket
  }

  return {
    port: front.address().port,
    lost: () => lost,
    close: () => sockets.forEach(socket => socket.close()),
  }
}

/** Numbers between 0 and 1 that follow from `seed` (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
