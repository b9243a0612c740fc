// A server as its own process, for tests that take away its disk, its clock or its life.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { endChild } from '../end-child.ts'

const BIN = join(import.meta.dirname, '../../bin/pilotlight')

/** How a server is started. */
export type ChildSettings = {
  readonly statePath: string
  /** What precedes the command: `['nsenter', …]`. */
  readonly within?: readonly string[]
  /** Serves DHCP, too, which takes root and a separate network namespace. */
  readonly dhcp?: boolean
  /** Serves TFTP, too, which takes root. */
  readonly tftp?: boolean
  /** Further flags of `serve`. */
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Where this process reads the server's files, when that is elsewhere. */
  readonly seenAt?: string
}

/** A server that listens. */
export type ChildServer = {
  readonly child: ChildProcess
  readonly url: string
  /** All it wrote: lines of its log, and the last words of one that failed. */
  readonly said: string[]
  /** Asks with the token of `admin.token`. */
  readonly ask: (method: string, path: string, body?: unknown) => Promise<{ status: number; text: string }>
  kill(): Promise<void>
}

/** How a server ended that did not come to listen. */
export class DidNotStart extends Error {
  readonly status: number | null
  constructor(status: number | null, said: readonly string[]) {
    super(said.join('\n'))
    this.status = status
  }
}

/**
 * Starts a server on loopback with free ports, without TFTP and DHCP by default; it is killed with the test.
 *
 * @throws {DidNotStart} when it ends before it listens
 */
export async function childServer(
  t: Test,
  {
    statePath,
    within = [],
    dhcp = false,
    tftp = false,
    flags = [],
    env = {},
    seenAt = statePath,
  }: ChildSettings,
): Promise<ChildServer> {
  const off = [...(tftp ? [] : ['--no-tftp']), ...(dhcp ? [] : ['--no-dhcp'])]
  const ports = ['--http-port', '0', '--agent-port', '0', ...off]
  const [command = '', ...args] = [...within, BIN, 'serve', ...ports, '--state-path', statePath, ...flags]
  const child = spawn(command, args, {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, ...env },
  })
  t.teardown(() => endChild(child))
  const said: string[] = []
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', line => {
      said.push(line)
      if (line.includes('"text":"serving"')) resolve((JSON.parse(line) as { url: string }).url)
    })
    once(child, 'close').then(([status]) => reject(new DidNotStart(status as number | null, said)), reject)
  })
  return {
    child,
    url,
    said,
    ask: async (method, path, body) => {
      const token = readFileSync(join(seenAt, 'admin.token'), 'utf8').trim()
      const answer = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      return { status: answer.status, text: await answer.text() }
    },
    kill: () => endChild(child),
  }
}
