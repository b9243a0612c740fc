// The whole server on one end of a wire, a stranger on the other: two network namespaces that live as long as the
// processes which hold them.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Test } from 'tap'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { endChild } from '../end-child.ts'

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

/** Why such tests cannot run here; false when they can. */
export function whyNoWire(): string | false {
  const isRoot = process.platform === 'linux' && process.getuid?.() === 0
  return isRoot ? false : 'needs root on Linux, for network namespaces'
}

/** Starts the server without DHCP and TFTP, on port 8080 of its end; `flags` are more of `pilotlight serve`. */
export async function wiredServer(t: Test, flags: readonly string[] = []): Promise<WiredServer> {
  const [server, stranger] = [hold(t), hold(t)]
  const [near, far] = [`--net=/proc/${server}/ns/net`, `--net=/proc/${stranger}/ns/net`]
  await waitUntil('the namespaces', { limitSeconds: 10, everyMs: 20 }, async () => {
    for (const end of [near, far]) await ip(end, 'link set lo up')
    return { value: true }
  })
  await ip(near, `link add eth0 type veth peer name eth0 netns ${stranger}`)
  for (const [end, address] of [
    [near, SERVER],
    [far, STRANGER],
  ] as const) {
    await ip(end, `address add ${address}/24 dev eth0`)
    await ip(end, 'link set eth0 up')
  }
  const statePath = join(t.testdir(), 'state')
  const program = join(import.meta.dirname, '../../bin/pilotlight')
  const args = ['serve', '--address', SERVER, '--no-dhcp', '--no-tftp', '--state-path', statePath]
  const serving = spawn('nsenter', [near, program, ...args, ...flags], { stdio: 'ignore' })
  t.teardown(() => endChild(serving))
  const url = `http://${SERVER}:8080`
  const wired = { url, statePath, here: at(near), elsewhere: at(far) }
  await waitUntil('the server', { limitSeconds: 30, everyMs: 50 }, async () => {
    await wired.elsewhere('curl', '-fsS', '--max-time', '2', `${url}/readyz`)
    return { value: true }
  })
  return wired
}

/** Runs programs in the network at this end. */
function at(end: string) {
  return async (program: string, ...args: readonly string[]): Promise<string> =>
    (await run('nsenter', [end, program, ...args], { limitSeconds: 30 })).stdout
}

async function ip(end: string, words: string): Promise<void> {
  await run('nsenter', [end, 'ip', ...words.split(' ')], { limitSeconds: 10 })
}

/** A process with a network of its own; gives its id. */
function hold(t: Test): number {
  const holder = spawn('unshare', ['--net', 'sleep', '300'], { stdio: 'ignore' })
  t.teardown(() => endChild(holder))
  return holder.pid ?? 0
}
