// How many DHCP exchanges (DISCOVER, OFFER, REQUEST, ACK) a second? The whole server as it ships, every lease and boot
// event on disk, against Kea with its memfile, which appends to a file and does not wait for the disk. Load by Kea's own
// perfdhcp, as a relay, each exchange a new client.
//
//   sudo node_modules/.bin/node bench/dhcp.ts [RATE...]
//
// Packages: kea-dhcp4-server (kea-dhcp4) and kea-admin (perfdhcp).

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep, waitUntil } from '#progress/wait.ts'
import { ADDRESS, toolAt, Wire } from './wire.ts'

// A step counts as served with no more loss than this: the bound that Kea's own reports use.
const MOST_LOSS = 2.5
const SECONDS = 5
const POOL = { first: '10.20.1.0', last: '10.20.254.255' }
const rates =
  process.argv.length > 2 ? process.argv.slice(2).map(Number) : [2000, 4000, 6000, 8000, 10_000, 12_000]

type Step = { asked: number; served: number; lost: number; ackMs: number }

const perfdhcp = toolAt('perfdhcp')
const kea = toolAt('kea-dhcp4')
if (process.getuid?.() !== 0 || perfdhcp === undefined) {
  console.log('skipped: needs root, and perfdhcp of the package kea-admin')
  process.exit()
}

const folder = mkdtempSync(join(tmpdir(), 'bench-dhcp-'))
const wire = await Wire.lay()
try {
  await measure('pilotlight', startPilotlight)
  if (kea === undefined) console.log('kea: skipped, package kea-dhcp4-server is not installed')
  else await measure('kea', startKea)
} finally {
  await wire.close()
  rmSync(folder, { recursive: true })
}

async function measure(name: string, start: () => Promise<void>): Promise<void> {
  console.log(`${name}\n  asked/s  served/s   lost %   ACK ms`)
  let best = 0
  for (const rate of rates) {
    await start() // afresh, so that every step has the same empty pool before it
    await step(2000, 3) // warms it up
    const { asked, served, lost, ackMs } = await step(rate, SECONDS)
    await wire.stop()
    const row = [asked, Math.round(served), lost.toFixed(2), ackMs.toFixed(2)]
    console.log(row.map(it => String(it).padStart(9)).join(''))
    if (lost <= MOST_LOSS) best = Math.max(best, served)
  }
  console.log(`  most with at most ${MOST_LOSS} % lost: ${Math.round(best)}/s`)
}

async function step(rate: number, seconds: number): Promise<Step> {
  const args = ['-4', '-r', String(rate), '-R', '60000', '-p', String(seconds), '-l', 'eth0', ADDRESS]
  // Ends with status 3 when something was lost, and its report is on the standard output all the same.
  const report = await wire.run('client', 'sh', ['-c', `${perfdhcp} ${args.join(' ')} || true`], seconds + 20)
  const numbers = (pattern: RegExp) =>
    [...report.stdout.matchAll(pattern)].map(([, number]) => Number(number))
  const [served = 0] = numbers(/^Rate: ([\d.]+)/gm)
  const sent = numbers(/^sent packets: (\d+)/gm)
  const received = numbers(/^received packets: (\d+)/gm)
  const delays = numbers(/^avg delay: ([\d.]+)/gm)
  // Of the exchanges begun, those not ended: the offers lost and the acknowledgements lost.
  const lost = 100 * (1 - (received[1] ?? 0) / (sent[0] ?? 1))
  return { asked: rate, served, lost, ackMs: delays[1] ?? Number.NaN }
}

async function startPilotlight(): Promise<void> {
  const state = mkdtempSync(join(folder, 'state-'))
  const program = join(import.meta.dirname, '../bin/pilotlight')
  wire.start(program, ['serve', '--address', ADDRESS, '--no-tftp', '--state-path', state])
  const network = { subnet: '10.20.0.0/16', gateway: ADDRESS, dhcp: 'full', pool: POOL, dns: [] }
  const site = JSON.stringify({ network, machines: [], profiles: [], groups: [] })
  const put = ['-sSf', '-X', 'PUT', '-H', 'content-type: application/json', '-d', site]
  await waitUntil('the server', { limitSeconds: 20 }, async () => {
    const token = readFileSync(join(state, 'admin.token'), 'utf8').trim()
    const asAdmin = ['-H', `authorization: Bearer ${token}`]
    await wire.run('server', 'curl', [...put, ...asAdmin, `http://${ADDRESS}:8080/v1/sites/bench`], 5)
    return { value: true }
  })
}

async function startKea(): Promise<void> {
  const state = mkdtempSync(join(folder, 'kea-'))
  const config = join(state, 'kea.json')
  const dhcp = {
    'interfaces-config': { interfaces: ['br0'], 'dhcp-socket-type': 'udp' },
    'multi-threading': { 'enable-multi-threading': true, 'thread-pool-size': 2, 'packet-queue-size': 64 },
    'lease-database': { type: 'memfile', persist: true, name: join(state, 'leases.csv'), 'lfc-interval': 0 },
    'valid-lifetime': 3600,
    subnet4: [{ subnet: '10.20.0.0/16', pools: [{ pool: `${POOL.first} - ${POOL.last}` }] }],
    loggers: [{ name: 'kea-dhcp4', severity: 'ERROR', output_options: [{ output: join(state, 'log') }] }],
  }
  writeFileSync(config, JSON.stringify({ Dhcp4: dhcp }))
  wire.start(kea ?? '', ['-c', config], { KEA_PIDFILE_DIR: state, KEA_LOCKFILE_DIR: state })
  await sleep(2000) // it has nothing to ask whether it is ready
}
