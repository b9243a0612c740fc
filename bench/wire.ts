// A wire for measurements: two network namespaces joined by a veth pair, `br0` 10.20.0.1/16 for the server and `eth0`
// 10.20.0.2/16 for the load. They live as long as the processes that hold them.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'

/** The server's address on the wire. */
export const ADDRESS = '10.20.0.1'

/** Where `tool` is on the PATH or among the system's programs; undefined when it is not installed. */
export function toolAt(tool: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.map(folder => join(folder, tool)).find(path => existsSync(path))
}

/** A wire, laid. */
export class Wire {
  readonly #holders: ChildProcess[] = []
  readonly #servers: ChildProcess[] = []

  /** Lays the wire; needs root. */
  static async lay(): Promise<Wire> {
    const wire = new Wire()
    const own = await run('readlink', ['/proc/self/ns/net'], { limitSeconds: 5 })
    for (const _ of ['server', 'client']) {
      const holder = spawn('unshare', ['--net', 'sleep', '3600'], { stdio: 'ignore' })
      wire.#holders.push(holder)
      await waitUntil('a namespace', { limitSeconds: 5, everyMs: 10 }, async () => {
        const { stdout } = await run('readlink', [`/proc/${holder.pid}/ns/net`], { limitSeconds: 5 })
        return stdout === own.stdout ? { not: 'not made yet' } : { value: true }
      })
    }
    const [server, client] = wire.#holders.map(({ pid }) => pid)
    await ip(server, 'link', 'add', 'br0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(client))
    await ip(server, 'address', 'add', `${ADDRESS}/16`, 'dev', 'br0')
    await ip(server, 'link', 'set', 'br0', 'up')
    await ip(server, 'link', 'set', 'lo', 'up')
    await ip(client, 'address', 'add', '10.20.0.2/16', 'dev', 'eth0')
    await ip(client, 'link', 'set', 'eth0', 'up')
    await ip(client, 'link', 'set', 'lo', 'up')
    return wire
  }

  /** Starts a server on its end; ended by `stop`. */
  start(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const inside = [`--net=/proc/${this.#holders[0]?.pid}/ns/net`, program, ...args]
    const server = spawn('nsenter', inside, { stdio: 'ignore', env: { ...process.env, ...env } })
    this.#servers.push(server)
    return server
  }

  /** Starts a program on the other end, which the caller ends. */
  startFar(program: string, args: readonly string[]): ChildProcess {
    const inside = [`--net=/proc/${this.#holders[1]?.pid}/ns/net`, program, ...args]
    const far = spawn('nsenter', inside, { stdio: 'ignore' })
    this.#servers.push(far)
    return far
  }

  /** Runs a program on one of the ends. */
  async run(end: 'server' | 'client', program: string, args: readonly string[], limitSeconds: number) {
    const holder = this.#holders[end === 'server' ? 0 : 1]
    return run('nsenter', [`--net=/proc/${holder?.pid}/ns/net`, program, ...args], { limitSeconds })
  }

  /** Ends the servers. */
  async stop(): Promise<void> {
    await Promise.all(this.#servers.splice(0).map(end))
  }

  /** Ends everything; the wire is gone with it. */
  async close(): Promise<void> {
    await this.stop()
    await Promise.all(this.#holders.splice(0).map(end))
  }
}

async function ip(holder: number | undefined, ...words: string[]): Promise<void> {
  await run('nsenter', [`--net=/proc/${holder}/ns/net`, 'ip', ...words], { limitSeconds: 5 })
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 5000)
  await ended
  clearTimeout(late)
}
