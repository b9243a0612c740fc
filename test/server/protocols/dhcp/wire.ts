// A wire for the interop tests: two network namespaces, one with our server, one with a client's `eth0`.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { endChild } from '../../../end-child.ts'
import { testNetwork } from '../../../network.ts'
import { MAC, network, SERVER } from './clients.ts'
import type { ServeSettings } from './serve.ts'

/** A line that `serve.ts` printed. */
export type Said = { readonly kind: string; readonly text: string; readonly detail: Record<string, unknown> }

/** Our server and a client on one wire. */
export type Wire = {
  /** Runs a program in the client's network namespace. */
  client(program: string, args: readonly string[], limitSeconds?: number): Promise<string>
  /** A process that keeps the client's namespace, for programs that enter more than its network. */
  readonly clientPid: number
  /** The server's namespace likewise. */
  readonly serverPid: number
  /** The process that serves, so that a test may stop it. */
  readonly servingPid: number
  /** All that the server said so far. */
  readonly said: readonly Said[]
  /** Waits until the server has said something of this kind, `count` times. */
  saysAtLast(kind: string, count?: number): Promise<Said>
}

/** Lays the wire, and starts the server on it; ended with the test. */
export async function layWire(t: Test, settings: Partial<ServeSettings> = {}): Promise<Wire> {
  const server = await testNetwork(t)
  // Mounts too, so that a client can be given its own /run.
  const client = await testNetwork(t, ['--mount', '--propagation=private'])
  await server.ip(
    `link add br0 type veth peer name eth0 address ${MAC} netns ${client.pid}`,
    `address add ${SERVER.address}/24 dev br0`,
    'link set br0 up',
  )
  await client.ip('link set eth0 up')

  const all: ServeSettings = { address: SERVER.address, network: network(), machines: [], ...settings }
  const script = join(import.meta.dirname, 'serve.ts')
  const [nsenter, ...args] = [...server.within, process.execPath, script, JSON.stringify(all)]
  const serving = spawn(nsenter, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => endChild(serving))
  const said: Said[] = []
  createInterface(serving.stdout).on('line', line => said.push(JSON.parse(line) as Said))

  const saysAtLast = (kind: string, count = 1) =>
    waitUntil(`the server to say ${kind}`, { limitSeconds: 15, everyMs: 10 }, async () => {
      const such = said.filter(one => one.kind === kind)
      const last = such.at(-1)
      return last !== undefined && such.length >= count
        ? { value: last }
        : { not: JSON.stringify(said.at(-1)) }
    })
  await saysAtLast('ready')
  return {
    client: async (program, args, limitSeconds) => {
      const { stdout, stderr } = await client.run(program, args, limitSeconds)
      return stdout + stderr
    },
    clientPid: client.pid,
    serverPid: server.pid,
    servingPid: serving.pid ?? 0,
    said,
    saysAtLast,
  }
}
