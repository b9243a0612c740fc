// The server as it ships, on loopback, for a measurement: everything but DHCP and TFTP.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A server that answers. */
export type Serving = {
  /** For example `http://127.0.0.1:43211`. */
  readonly url: string
  readonly port: number
  readonly child: ChildProcess
  /** Its resident memory. */
  megabytes(): number
  /** Ends it in good order. */
  stop(): Promise<void>
}

/** Starts it on a free port, of this checkout unless another is named. It ends with this process, whatever ends that. */
export async function serve(
  paths: { state: string; data: string; assets?: string },
  checkout = join(import.meta.dirname, '..'),
): Promise<Serving> {
  const { state, data, assets } = paths
  const program = join(checkout, 'bin/pilotlight')
  const ports = ['--address', '127.0.0.1', '--http-port', '0', '--agent-port', '0', '--no-dhcp', '--no-tftp']
  const folders = ['--state-path', state, '--data-path', data, '--loaders-path', data]
  const args = [
    program,
    'serve',
    ...ports,
    ...folders,
    ...(assets === undefined ? [] : ['--assets-path', assets]),
  ]
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  for await (const line of createInterface(child.stderr)) {
    const [, url, port] = /"text":"serving","url":"([^"]+:(\d+))"/.exec(line) ?? []
    if (url === undefined) continue
    child.stderr.resume()
    return {
      url,
      port: Number(port),
      child,
      megabytes: () => residentMegabytes(child),
      stop: () => stop(child),
    }
  }
  throw new Error('The server did not open.')
}

/** The resident memory of a process. */
export function residentMegabytes({ pid }: ChildProcess): number {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 1024)
}

/** Ends a process in good order. */
export async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise<void>(resolve => void child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  await ended
}
