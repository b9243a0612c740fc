// Which connections of a listener are idle: those are closed at once when the server stops.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'

/** Follows the connections of a server of HTTP or HTTPS. Node's own list leaves out those that never asked anything. */
export class Connections {
  /** By the address of the peer, which a TLS socket has in common with the one below it. */
  readonly #quiet = new Map<string, Socket>()
  #closing = false

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      const peer = peerOf(socket)
      this.#quiet.set(peer, socket)
      socket.once('close', () => this.#quiet.delete(peer))
    })
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      const peer = peerOf(socket)
      this.#quiet.delete(peer)
      response.on('close', () => {
        if (this.#closing) socket.end(() => socket.destroy())
        else if (!socket.destroyed) this.#quiet.set(peer, socket)
      })
    })
  }

  /** Closes all idle connections at once, and each other one once it has its answer. */
  close(): void {
    this.#closing = true
    for (const socket of this.#quiet.values()) socket.destroy()
  }
}

function peerOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
