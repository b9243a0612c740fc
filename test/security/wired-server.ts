// The whole server on one end of a wire, and a stranger on the other.

import { join } from 'node:path'
import type { Test } from 'tap'
import { testNetwork } from '../network.ts'
import { childServer } from './child-server.ts'

/** The server's address, and the stranger's. */
const SERVER = '10.77.0.1'
const STRANGER = '10.77.0.9'

/** A server that others reach. */
export type WiredServer = {
  readonly url: string
  readonly statePath: string
  /** Runs a program on the server's own host; gives what it printed. */
  readonly here: (program: string, ...args: readonly string[]) => Promise<string>
  /** Runs a program on the stranger's host. */
  readonly elsewhere: (program: string, ...args: readonly string[]) => Promise<string>
}

/** Starts the server without DHCP and TFTP at its end; `flags` are more of `pilotlight serve`. */
export async function wiredServer(t: Test, flags: readonly string[] = []): Promise<WiredServer> {
  const [server, stranger] = [await testNetwork(t), await testNetwork(t)]
  await server.ip(
    `link add eth0 type veth peer name eth0 netns ${stranger.pid}`,
    `address add ${SERVER}/24 dev eth0`,
    'link set eth0 up',
  )
  await stranger.ip(`address add ${STRANGER}/24 dev eth0`, 'link set eth0 up')
  const statePath = join(t.testdir(), 'state')
  const { url } = await childServer(t, {
    statePath,
    within: server.within,
    flags: ['--address', SERVER, '--http-port', '8080', ...flags],
  })
  return {
    url,
    statePath,
    here: async (program, ...args) => (await server.run(program, args, 30)).stdout,
    elsewhere: async (program, ...args) => (await stranger.run(program, args, 30)).stdout,
  }
}
