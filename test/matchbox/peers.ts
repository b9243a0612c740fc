// Matchbox and Pilotlight over one data directory, each as an operator starts it, and a client that sends bytes as they are.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import { freePort } from '../free-ports.ts'
import { programs } from '../server/protocols/rpc/programs.ts'

/** A server that answers. */
export type Peer = { readonly port: number; readonly close: () => Promise<void> }

/** An answer: headers by their names in lower case. */
export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Starts Matchbox, or Pilotlight with Matchbox's flags. */
export async function startPeer(
  which: 'matchbox' | 'pilotlight',
  data: string,
  statePath: string,
): Promise<Peer> {
  const port = await freePort()
  const flags = [`-address=127.0.0.1:${port}`, `-data-path=${data}`, `-assets-path=${join(data, 'assets')}`]
  const [program, args] =
    which === 'matchbox'
      ? [programs.matchbox, [...flags, '-log-level=panic']]
      : [join(import.meta.dirname, '../../bin/pilotlight'), ['serve', ...flags, '-log-level=error']]
  const env = { ...process.env, PILOTLIGHT_STATE_PATH: statePath }
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], env })
  const ended = once(child, 'exit')
  await waitUntil(`${which} answers`, { limitSeconds: 60, everyMs: 20 }, async () => {
    if (child.exitCode !== null) throw new Error(`${which} ended with ${child.exitCode}`)
    try {
      await ask(port, Buffer.from('GET / HTTP/1.0\r\n\r\n'))
      return { value: true }
    } catch (error) {
      return { not: (error as Error).message }
    }
  })
  return { port, close: () => stop(child, ended) }
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await ended
}

/** Sends bytes on a connection of their own, and reads the answer to its end. */
export function ask(port: number, bytes: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.setTimeout(20_000, () => socket.destroy(new Error('no answer within 20 s')))
    socket.on('data', chunk => chunks.push(chunk))
    const read = () => {
      try {
        resolve(parsed(Buffer.concat(chunks)))
      } catch (error) {
        reject(error)
      }
    }
    socket.on('end', read)
    socket.on('error', error => (chunks.length > 0 ? read() : reject(error)))
  })
}

function parsed(raw: Buffer): Answer {
  const end = raw.indexOf('\r\n\r\n')
  if (end < 0)
    throw new Error(`no end of the headers in ${JSON.stringify(raw.toString('latin1').slice(0, 80))}`)
  const [first = '', ...lines] = raw.subarray(0, end).toString('latin1').split('\r\n')
  const status = Number(first.split(' ')[1])
  if (status === 100) return parsed(raw.subarray(end + 4))
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]*): *(.*)$/.exec(line) ?? []
    const key = name.toLowerCase()
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value
  }
  const rest = raw.subarray(end + 4)
  return { status, headers, body: headers['transfer-encoding'] === 'chunked' ? unchunked(rest) : rest }
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ;) {
    const end = bytes.indexOf('\r\n', at)
    const size = end < 0 ? 0 : Number.parseInt(bytes.toString('latin1', at, end), 16)
    if (!(size > 0)) return Buffer.concat(parts)
    parts.push(bytes.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}
