// How many bytes a second does a server of assets give? The whole `pilotlight serve` and nginx with sendfile, one after the
// other, the same file, on loopback. The clients are separate processes (curl), which throw away what they get, so both
// servers have the same company on the same cores; the ratio is the answer, not the figure.
//
//   node_modules/.bin/node bench/assets.ts [MEGABYTES]

import { spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import { freePort } from '#test/free-ports.ts'
import { serve, stop } from './serve.ts'

const CLIENTS = [1, 8, 32]
const ROUNDS = 3
/** Bytes that all clients of a round fetch together, so that rounds take alike. */
const ROUND_BYTES = 4e9
/** Ticks a second in /proc, which is the same on every Linux. */
const TICKS = 100

const megabytes = Number(process.argv[2] ?? 500)
const folder = mkdtempSync(join(tmpdir(), 'bench-assets-'))
const servers: Running[] = []

type Running = {
  readonly name: string
  readonly url: string
  readonly pids: () => number[]
  readonly end: () => Promise<void>
}

try {
  await makeFile(join(folder, 'assets', 'image'))
  servers.push(await pilotlight())
  const peer = await nginx()
  if (peer === undefined) console.log('nginx is not installed: no peer is measured')
  else servers.push(peer)
  console.log('clients  server       MB/s  (all rounds)              CPU s per GB  of nginx')
  for (const clients of CLIENTS) await measure(clients)
} finally {
  for (const server of servers) await server.end()
  rmSync(folder, { recursive: true })
}

/** Rounds in turn, so that whatever else the machine does meets both. */
async function measure(clients: number): Promise<void> {
  const rates = new Map<Running, number[]>(servers.map(server => [server, []]))
  const cpu = new Map<Running, number>()
  const files = Math.max(1, Math.round(ROUND_BYTES / (megabytes * 1e6) / clients))
  const gigabytes = (files * clients * megabytes) / 1000
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const server of servers) {
      const before = cpuSeconds(server.pids())
      const began = performance.now()
      await Promise.all(Array.from({ length: clients }, () => fetchFiles(server.url, files)))
      const seconds = (performance.now() - began) / 1000
      rates.get(server)?.push((gigabytes * 1000) / seconds)
      cpu.set(server, (cpu.get(server) ?? 0) + cpuSeconds(server.pids()) - before)
    }
  }
  const peer = servers[1] && median(rates.get(servers[1]) ?? [])
  for (const server of servers) {
    const all = rates.get(server) ?? []
    const cells = [
      String(clients).padStart(7),
      server.name.padEnd(10),
      median(all).toFixed(0).padStart(6),
      `(${all.map(rate => rate.toFixed(0)).join(', ')})`.padEnd(28),
      ((cpu.get(server) ?? 0) / (gigabytes * ROUNDS)).toFixed(3).padStart(9),
      peer === undefined ? '-' : `${((median(all) / peer) * 100).toFixed(0)} %`.padStart(9),
    ]
    console.log(cells.join('  '))
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

/** One client that fetches the file again and again, and says whether every byte arrived. */
async function fetchFiles(url: string, times: number): Promise<void> {
  const outputs = Array.from({ length: times }, () => [url, '-o', '/dev/null']).flat()
  const child = spawn('curl', ['-sS', '--fail', '-w', '%{size_download}\n', ...outputs], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const [status] = (await once(child, 'close')) as [number]
  const sizes = said.trim().split('\n').map(Number)
  if (status !== 0 || sizes.length !== times || sizes.some(size => size !== megabytes * 1e6)) {
    throw new Error(`curl ended with ${status} after ${sizes.join()} bytes`)
  }
}

async function makeFile(path: string): Promise<void> {
  mkdirSync(join(folder, 'assets'))
  const piece = Buffer.from(Array.from({ length: 1_000_000 }, (_, n) => (n * 31) & 255))
  const file = createWriteStream(path)
  for (let count = 0; count < megabytes; count += 1) {
    if (!file.write(piece)) await once(file, 'drain')
  }
  file.end()
  await once(file, 'finish')
}

async function pilotlight(): Promise<Running> {
  const paths = { state: join(folder, 'state'), data: join(folder, 'data'), assets: join(folder, 'assets') }
  mkdirSync(paths.data)
  const server = await serve(paths)
  const pids = () => [server.child.pid ?? 0] // it is running
  return { name: 'pilotlight', url: `${server.url}/assets/image`, pids, end: () => server.stop() }
}

/** nginx as its own documentation recommends it for large files: sendfile, tcp_nopush, a worker a core. */
async function nginx(): Promise<Running | undefined> {
  const port = await freePort()
  const configuration = join(folder, 'nginx.conf')
  writeFileSync(
    configuration,
    `daemon off; ${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes auto; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
    events { worker_connections 1024; }
    http {
      access_log off; sendfile on; tcp_nopush on; client_body_temp_path ${folder}/nginx-body;
      server { listen 127.0.0.1:${port}; root ${folder}; }
    }`,
  )
  const child = spawn('/usr/sbin/nginx', ['-c', configuration, '-e', `${folder}/nginx.log`, '-p', folder], {
    stdio: 'inherit',
  })
  let failed = false
  child.once('error', () => (failed = true))
  const url = `http://127.0.0.1:${port}/assets/image`
  const opened = await waitUntil('nginx opens', { limitSeconds: 10, everyMs: 50 }, async () => {
    if (failed) return { value: false }
    return (await fetch(url, { method: 'HEAD' })).ok ? { value: true } : { not: 'it says no' }
  })
  return opened
    ? { name: 'nginx', url, pids: () => family(child.pid ?? 0), end: () => stop(child) }
    : undefined
}

/** A process and its children. */
function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return [pid, ...(children === '' ? [] : children.split(' ').map(Number))]
}

/** User and system time of processes (fields 14 and 15 of /proc/PID/stat). */
function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS
  }, 0)
}
