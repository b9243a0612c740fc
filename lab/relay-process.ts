// The relay's process: started in the rack's network namespace, it takes over listening sockets of the host's and
// joins each connection with a new one to the rack. See relay.ts.

import { connect } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { RelayOrder } from './relay.ts'

process.on('message', ({ host, port }: RelayOrder, server: Server) => {
  server.on('connection', near => join(near, connect({ host, port })))
  process.send?.('taken')
})
process.send?.('ready')

function join(near: Socket, far: Socket): void {
  near.pipe(far).pipe(near)
  near.on('error', () => far.destroy())
  far.on('error', () => near.destroy()) // a machine that is off: the client sees its connection closed
}
