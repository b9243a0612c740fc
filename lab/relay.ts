// Loopback ports of the host that lead into the rack. The listening sockets are opened here, in the host's namespace,
// and handed to a process that lives in the rack's: it accepts where we are and connects where the machines are.

import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { inNamespace } from './network.ts'
import { markProcess } from '#host/process.ts'
import type { ProcessMark } from '#host/process.ts'

/** A port of the host's loopback, and where in the rack it leads. */
export type RelayRoute = {
  /** Port on 127.0.0.1; 0 picks a free one. */
  readonly port: number
  readonly host: string
  readonly targetPort: number
}

/** A running relay: its process, and the routes with the ports they got. */
export type Relay = { readonly process: ProcessMark; readonly routes: readonly RelayRoute[] }

/** What the relay process receives, one message for each listening socket. */
export type RelayOrder = { readonly host: string; readonly port: number }

/**
 * Opens the ports and starts the relay process in `namespace`. It outlives this process; end it by its mark.
 *
 * @throws the system's error when a port is taken
 */
export async function startRelay(
  namespace: string,
  routes: readonly RelayRoute[],
  log: string,
): Promise<Relay> {
  const servers = await Promise.all(routes.map(listen))
  const [enter = '', ...args] = inNamespace(namespace)
  const output = openSync(log, 'a')
  const child = fork(new URL('relay-process.ts', import.meta.url), [], {
    execPath: enter,
    execArgv: [...args, process.execPath],
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
  })
  closeSync(output)
  try {
    await once(child, 'message', { signal: AbortSignal.timeout(10_000) }) // its first message: it is ready
    for (const [at, server] of servers.entries()) {
      const { host, targetPort } = routes[at]! // as many servers as routes
      await hand(child, { host, port: targetPort }, server)
    }
    const mark = markProcess(child.pid ?? 0)
    if (!mark) throw new Error(`The relay process ended at once; see ${log}.`)
    const opened = routes.map((route, at) => ({ ...route, port: portOf(servers[at]!) }))
    return { process: mark, routes: opened }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    for (const server of servers) server.close()
    child.disconnect()
    child.unref()
  }
}

async function listen({ port }: RelayRoute): Promise<Server> {
  const server = createServer()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function hand(child: ChildProcess, order: RelayOrder, server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve()) // it says when it has the socket, so that we close no sooner
    child.send(order, server, error => error && reject(error))
  })
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port // a listening TCP server has an address
}
