// Network namespaces for tests. Each lives as long as the process that holds it, and ends with its test.

import { spawn } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import type { Test } from 'tap'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { absent, whyNoNamespaces } from './absent.ts'
import { endChild } from './end-child.ts'

/** A network namespace. */
export type TestNetwork = {
  /** The process that holds it. */
  readonly pid: number
  /** The words before a command that run it there: `nsenter --net=…`. */
  readonly within: readonly [string, string]
  /** Runs a program there; 15 s unless said otherwise. */
  run(
    program: string,
    args: readonly string[],
    limitSeconds?: number,
  ): Promise<{ stdout: string; stderr: string }>
  /** Runs `ip` with each line. */
  ip(...lines: readonly string[]): Promise<void>
}

/** Why there are no network namespaces here; false when there are. `tools` are names or paths of programs that a test needs as well. */
export function whyNoNetworks(...tools: readonly string[]): string | false {
  return absent('unshare', 'nsenter', 'ip', ...tools) || whyNoNamespaces('--net')
}

/** Makes a network namespace whose `lo` is up. `flags` of `unshare` add other namespaces. */
export async function testNetwork(t: Test, flags: readonly string[] = []): Promise<TestNetwork> {
  const holder = spawn('unshare', ['--net', ...flags, 'sleep', '600'], { stdio: 'ignore' })
  t.teardown(() => endChild(holder))
  const pid = holder.pid ?? 0
  const place = `/proc/${pid}/ns/net`
  await waitUntil('the network namespace', { limitSeconds: 10, everyMs: 10 }, async () => {
    const isOurs = readlinkSync(place) === readlinkSync('/proc/self/ns/net')
    return isOurs ? { not: 'it is still ours' } : { value: true }
  })
  const within = ['nsenter', `--net=${place}`] as const
  const network: TestNetwork = {
    pid,
    within,
    run: (program, args, limitSeconds = 15) =>
      run(within[0], [within[1], program, ...args], { limitSeconds }),
    ip: async (...lines) => {
      const input = `${lines.join('\n')}\n`
      await run(within[0], [within[1], 'ip', '-batch', '-'], { limitSeconds: 10, input })
    },
  }
  await network.ip('link set lo up')
  return network
}
