// What bench/strangers.ts aims the same attackers at for its baseline: a bare Node HTTP server and two UDP sinks.

import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'

/** Ports of the HTTP server and of the sinks. */
export const PEER = { http: 9080, dhcp: 9067, tftp: 9069 } as const

if (import.meta.main) {
  createServer((_, reply) => void reply.end('ok\n')).listen(PEER.http)
  for (const port of [PEER.dhcp, PEER.tftp])
    createSocket({ type: 'udp4', recvBufferSize: 1 << 20 }).bind(port)
}
