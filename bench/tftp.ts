// How fast does a file go by TFTP, and does it arrive when packets are lost? Ours against atftpd, both read by atftp:
// one client by window size, eight clients at once, and a loader's size with every fifth packet lost.
//
//   sudo node_modules/.bin/node bench/tftp.ts
//
// Packages: atftp, atftpd.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { run } from '#host/command.ts'
import { sleep } from '#progress/wait.ts'
import { openLossyProxy } from '#test/server/protocols/tftp/lossy.ts'
import { ADDRESS, toolAt, Wire } from './wire.ts'

const MEGABYTES = 32
const LOSSY_TRANSFERS = 8
const LOSSY_LIMIT_SECONDS = 60
const LOOPBACK_PORT = 6969

const atftp = toolAt('atftp')
const atftpd = toolAt('in.tftpd') ?? toolAt('atftpd')
if (process.getuid?.() !== 0 || atftp === undefined) {
  console.log('skipped: needs root, and the package atftp')
  process.exit()
}

const folder = mkdtempSync(join(tmpdir(), 'bench-tftp-'))
writeFileSync(join(folder, 'big'), randomBytes(MEGABYTES << 20))
writeFileSync(join(folder, 'loader'), randomBytes(180_000))
const ours = join(import.meta.dirname, 'serve-tftp.ts')
const servers: [string, (address: string, port: number) => [string, string[]]][] = [
  ['pilotlight', (address, port) => [process.execPath, [ours, address, String(port), folder]]],
]
if (atftpd === undefined) console.log('atftpd: skipped, the package is not installed')
else {
  const flags = ['--daemon', '--no-fork', '--user', 'root', '--maxthread', '100']
  servers.push([
    'atftpd',
    (address, port) => [atftpd, [...flags, '--port', String(port), '--bind-address', address, folder]],
  ])
}

const wire = await Wire.lay()
try {
  for (const [name, command] of servers) {
    wire.start(...command(ADDRESS, 69))
    await sleep(1500) // neither says when it is ready
    for (const window of [1, 4, 16, 64]) {
      const seconds = await timed(() => read('big', window, ADDRESS, 69, 'client'))
      console.log(`${name}: one client, window ${window}: ${rate(1, seconds)} MB/s`)
    }
    const all = () => Promise.all(Array.from({ length: 8 }, () => read('big', 64, ADDRESS, 69, 'client')))
    console.log(`${name}: eight clients, window 64: ${rate(8, await timed(all))} MB/s`)
    await wire.stop()
    await lossy(name, command('127.0.0.1', LOOPBACK_PORT))
  }
} finally {
  await wire.close()
  rmSync(folder, { recursive: true })
}

/** Reads a file by atftp into nowhere; over the wire, or on the host itself for the lossy proxy. */
function read(file: string, window: number, address: string, port: number, where: 'client' | 'here') {
  const options = ['--option', `windowsize ${window}`, '--option', 'blksize 1432']
  const args = [...options, '--get', '-r', file, '-l', '/dev/null', address, String(port)]
  return where === 'client'
    ? wire.run('client', atftp ?? '', args, 120)
    : run(atftp ?? '', args, { limitSeconds: LOSSY_LIMIT_SECONDS })
}

async function lossy(name: string, [program, args]: [string, string[]]): Promise<void> {
  const server = spawn(program, args, { stdio: 'ignore' })
  try {
    await sleep(1500)
    const times = await Promise.all(
      Array.from({ length: LOSSY_TRANSFERS }, async (_, seed) => {
        const proxy = await openLossyProxy(LOOPBACK_PORT, 0.2, seed + 1)
        const seconds = await timed(() => read('loader', 16, '127.0.0.1', proxy.port, 'here')).catch(
          () => Infinity,
        )
        proxy.close()
        return seconds
      }),
    )
    const arrived = times.filter(Number.isFinite).toSorted((one, other) => one - other)
    const slowest = arrived.at(-1)?.toFixed(1) ?? '-'
    console.log(
      `${name}: 180 KB, 20 % lost: ${arrived.length} of ${times.length} arrived, slowest ${slowest} s`,
    )
  } finally {
    server.kill()
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1000
}

function rate(clients: number, seconds: number): string {
  return ((clients * MEGABYTES * 1.048576) / seconds).toFixed(0)
}
