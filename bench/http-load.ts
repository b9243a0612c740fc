// A closed-loop load of HTTP/1.1 over kept-alive connections: each sends its next request when the answer is there. Raw
// sockets, so that the client costs less than the server that it measures. Run as a separate process by bench/http.ts:
// the last argument is the load as JSON, the last line of output is the result.

import { connect } from 'node:net'

/** What to ask for, and how. `{n}` in the path becomes the MAC address of one of `machines` machines, by turns. */
export type Load = {
  readonly port: number
  /** 127.0.0.1 by default. */
  readonly host?: string
  readonly path: string
  readonly machines: number
  readonly connections: number
  /** How long to ask; without it, until each machine was asked for once, or so many requests were answered. */
  readonly seconds?: number
  readonly requests?: number
}

/** The results; times are in milliseconds. */
export type LoadResult = {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** Answers by status. */
  readonly statuses: Readonly<Record<string, number>>
}

/** The MAC address of machine `n`, with colons. */
export function macOf(n: number): string {
  return `52:54:${[24, 16, 8, 0].map(bits => ((n >> bits) & 255).toString(16).padStart(2, '0')).join(':')}`
}

async function run({
  port,
  host = '127.0.0.1',
  path,
  machines,
  connections,
  seconds,
  requests,
}: Load): Promise<LoadResult> {
  const most = requests ?? (seconds === undefined ? machines : Infinity)
  const times: number[] = []
  const statuses: Record<string, number> = {}
  const begin = performance.now()
  const end = begin + (seconds ?? Infinity) * 1000
  let turn = 0
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(port, host)
      let sent = 0
      let answer = Buffer.alloc(0)
      const ask = () => {
        if (turn >= most || performance.now() >= end) return socket.end()
        // A stride that shares no factor with any number of machines here: neighbours are not asked one after the other.
        const mac = macOf(((turn += 1) * 7919) % machines)
        sent = performance.now()
        return socket.write(`GET ${path.replace('{n}', mac)} HTTP/1.1\r\nHost: bench\r\n\r\n`)
      }
      socket.setNoDelay(true)
      socket.setTimeout(30_000, () => socket.destroy(new Error(`no answer to ${path} within 30 s`)))
      socket.on('connect', ask)
      socket.on('error', reject)
      socket.on('close', () => resolve())
      socket.on('data', bytes => {
        answer = answer.length === 0 ? bytes : Buffer.concat([answer, bytes])
        const head = answer.indexOf('\r\n\r\n')
        if (head < 0) return
        const text = answer.toString('latin1', 0, head)
        const [, length] = /content-length: (\d+)/i.exec(text) ?? []
        const isWhole =
          length === undefined
            ? answer.includes('\r\n0\r\n\r\n', head)
            : answer.length >= head + 4 + Number(length)
        if (!isWhole) return
        times.push(performance.now() - sent)
        const status = text.slice(9, 12)
        statuses[status] = (statuses[status] ?? 0) + 1
        answer = Buffer.alloc(0)
        ask()
      })
    })
  await Promise.all(Array.from({ length: connections }, one))
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN
  const perSecond = Math.round(times.length / ((performance.now() - begin) / 1000))
  return { perSecond, p50: at(0.5), p99: at(0.99), statuses }
}

if (process.argv[1] === import.meta.filename)
  console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? '{}') as Load)))
