// How fast are writes, and does their cost grow with what is there already? The whole server as it ships, every write on
// disk before it is acknowledged: one group after the other by one client, then by 32 at once, which share commits. The
// peer is Matchbox's way: a file of the same text, written, flushed and renamed.
//
//   node_modules/.bin/node bench/writes.ts [GROUPS...]

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from './serve.ts'

const SECONDS = 5
const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10, 1000, 10_000, 100_000]
const folder = mkdtempSync(join(tmpdir(), 'bench-writes-'))
const agent = new Agent({ keepAlive: true })

try {
  console.log(`  files, flushed: ${files()} a second`)
  console.log(
    '  groups   fill s   alone/s   p99 ms   32 at once/s   p99 ms   /ipxe p99 ms meanwhile   start s   RSS MB',
  )
  for (const size of sizes) await measure(size)
} finally {
  agent.destroy()
  rmSync(folder, { recursive: true })
}

async function measure(size: number): Promise<void> {
  const state = join(folder, `state-${size}`)
  const data = join(folder, `data-${size}`)
  mkdirSync(data)
  let server = await serve({ state, data })
  const filling = Date.now()
  for (let at = 0; at < size; at += 10_000) {
    const changes = Array.from({ length: Math.min(10_000, size - at) }, (_, n) => ({
      kind: 'group',
      object: groupOf(at + n),
    }))
    await send(server.url, 'POST', '/v1/transactions', JSON.stringify({ changes }))
  }
  const fill = (Date.now() - filling) / 1000
  await server.stop()
  const starting = Date.now()
  server = await serve({ state, data })
  const started = (Date.now() - starting) / 1000
  const alone = await load(server.url, 1, size)
  const together = await load(server.url, 32, size)
  const row = [
    size,
    fill.toFixed(1),
    alone.perSecond,
    alone.p99,
    together.perSecond,
    together.p99,
    together.bootP99,
    started.toFixed(1),
    server.megabytes(),
  ]
  console.log(row.map(it => String(it).padStart(9)).join(''))
  await server.stop()
}

/** Puts groups for some seconds, while machines ask for their scripts. */
async function load(url: string, clients: number, size: number) {
  const end = Date.now() + SECONDS * 1000
  const times: number[] = []
  const boots: number[] = []
  let turn = 0
  const writer = async () => {
    while (Date.now() < end) {
      const group = { ...groupOf((turn += 1) % size), metadata: { turn } }
      const began = performance.now()
      await send(url, 'PUT', `/v1/groups/${group.id}`, JSON.stringify(group))
      times.push(performance.now() - began)
    }
  }
  const machine = async () => {
    while (Date.now() < end) {
      const began = performance.now()
      await send(url, 'GET', `/metadata?mac=${macOf(boots.length % size)}`)
      boots.push(performance.now() - began)
    }
  }
  await Promise.all([...Array.from({ length: clients }, writer), machine()])
  return { perSecond: Math.round(times.length / SECONDS), p99: p99(times), bootP99: p99(boots) }
}

function p99(times: number[]): string {
  const sorted = times.toSorted((a, b) => a - b)
  return (sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN).toFixed(1)
}

function groupOf(n: number) {
  return { id: `g-${n}`, profile: 'live', selector: { mac: macOf(n) }, metadata: { name: `node-${n}` } }
}

function macOf(n: number): string {
  return `52:54:${[24, 16, 8, 0].map(bits => ((n >> bits) & 255).toString(16).padStart(2, '0')).join(':')}`
}

function send(url: string, method: string, path: string, body?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method, agent }, answer => {
      answer.resume()
      answer.once('end', () => {
        if ((answer.statusCode ?? 500) < 300) resolve()
        else reject(new Error(`${method} ${path}: ${answer.statusCode}`))
      })
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

/** Files a second: written, flushed, renamed. */
function files(): number {
  const end = Date.now() + 2000
  let count = 0
  while (Date.now() < end) {
    const path = join(folder, `file-${count % 100}`)
    const file = openSync(`${path}.part`, 'w')
    writeSync(file, JSON.stringify(groupOf(count)))
    fsyncSync(file)
    closeSync(file)
    renameSync(`${path}.part`, path)
    count += 1
  }
  return Math.round(count / 2)
}
