// A wire for the interop tests: two network namespaces, one with our server, one with a client's `eth0`. They live as
// long as the processes that hold them, so nothing is left behind whatever happens to the test.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { endChild } from '../../end-child.ts'
import { MAC, network, SERVER } from './clients.ts'
import type { ServeSettings } from './serve.ts'

/** Why these tests cannot run here; false when they can. `tools` are paths of programs. */
export function whyNoWire(...tools: readonly string[]): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'needs root on Linux, for network namespaces'
  const absent = ['/usr/bin/unshare', '/usr/bin/nsenter', ...tools].filter(tool => !existsSync(tool))
  return absent.length === 0 ? false : `${absent.join(', ')} not installed`
}

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
  /** The process that serves, so that a test may make it stand still. */
  readonly servingPid: number
  /** All that the server said so far. */
  readonly said: readonly Said[]
  /** Waits until the server has said something of this kind, `count` times. */
  saysAtLast(kind: string, count?: number): Promise<Said>
}

/** Lays the wire, and starts the server on it; ended with the test. */
export async function layWire(t: Test, settings: Partial<ServeSettings> = {}): Promise<Wire> {
  const server = hold(t, 'server')
  const client = hold(t, 'client')
  const serverPid = server.pid ?? 0
  const clientPid = client.pid ?? 0
  await waitUntil('the namespaces', { limitSeconds: 5, everyMs: 10 }, async () => {
    await run('nsenter', [`--net=/proc/${clientPid}/ns/net`, 'ip', 'link', 'set', 'lo', 'up'], {
      limitSeconds: 5,
    })
    return { value: true }
  })
  const inServer = (...words: string[]) =>
    run('nsenter', [`--net=/proc/${serverPid}/ns/net`, 'ip', ...words], { limitSeconds: 5 })
  const eth0 = ['type', 'veth', 'peer', 'name', 'eth0', 'address', MAC, 'netns', String(clientPid)]
  await inServer('link', 'add', 'br0', ...eth0)
  await inServer('address', 'add', `${SERVER.address}/24`, 'dev', 'br0')
  await inServer('link', 'set', 'br0', 'up')
  await run('nsenter', [`--net=/proc/${clientPid}/ns/net`, 'ip', 'link', 'set', 'eth0', 'up'], {
    limitSeconds: 5,
  })

  const all: ServeSettings = { address: SERVER.address, network: network(), machines: [], ...settings }
  const script = join(import.meta.dirname, 'serve.ts')
  const args = [`--net=/proc/${serverPid}/ns/net`, process.execPath, script, JSON.stringify(all)]
  const serving = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] })
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
    client: async (program, args, limitSeconds = 15) => {
      const inside = [`--net=/proc/${clientPid}/ns/net`, program, ...args]
      const { stdout, stderr } = await run('nsenter', inside, { limitSeconds })
      return stdout + stderr
    },
    clientPid,
    serverPid,
    servingPid: serving.pid ?? 0,
    said,
    saysAtLast,
  }
}

function hold(t: Test, whose: string): ChildProcess {
  // Mounts too, so that a client can be given a /run of its own.
  const flags = whose === 'client' ? ['--net', '--mount', '--propagation=private'] : ['--net']
  const holder = spawn('unshare', [...flags, 'sleep', '120'], { stdio: 'ignore' })
  t.teardown(() => endChild(holder))
  return holder
}
