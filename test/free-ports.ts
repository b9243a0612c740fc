// TCP ports of loopback that were free just before, for programs that cannot be asked which port they took.

import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

/** One of them. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port! // one was asked for
}

/** So many, all different: each is held until the last is known. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  const ports: number[] = []
  for (const server of servers) {
    if (!server.listening) await once(server, 'listening')
    ports.push((server.address() as AddressInfo).port) // it listens on TCP
  }
  for (const server of servers) await new Promise(closed => server.close(closed))
  return ports
}
