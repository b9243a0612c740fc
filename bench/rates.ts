// What does one request cost the server, in processor time? Two versions beside each other, each on its own wire, are asked
// the same by turns: the boot of declared machines with their own leases (exchange of DHCP, script, config), and requests
// of undeclared clients. Processor time hardly depends on what else the machine does, as a rate would.
//
//   sudo node_modules/.bin/node bench/rates.ts --against CHECKOUT [--rounds 7] [--machines 400] [--boots PROFILE]
//                                             [--only PATTERN] [--profile FOLDER]
//
// `--against` names a checkout of an earlier version, with its node_modules. More machines than about 450 overflow the
// kernel's table of neighbours, which all namespaces share. `--profile` leaves a profile of both.
// Ends with 1 when a request of a declared machine costs more than 1/0.95 of before.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machineOf, siteOf, spentBy, startServer } from './rack.ts'
import { addressOf, type Came, type Phase } from './rates-load.ts'
import { ADDRESS, Wire } from './wire.ts'

const ROOT = join(import.meta.dirname, '..')
const FIRST_ADDRESS = 16 << 8
const STRANGER = '10.20.0.2'
/** What a request may cost, by what it did: the rate may be 5 % less. */
const BAR = 1 / 0.95

type Case = {
  readonly name: string
  readonly ask: string
  readonly from?: string
  readonly isJudged: boolean
}

const CASES: readonly Case[] = [
  { name: 'DHCP exchange', ask: 'dhcp', isJudged: true },
  { name: '/ipxe of a boot', ask: '/ipxe?mac={mac}', isJudged: true },
  { name: '/ignition of a boot', ask: '/ignition?mac={mac}', isJudged: true },
  { name: '/ipxe by labels', ask: '/ipxe?rack=z', from: STRANGER, isJudged: true },
  { name: '/ignition by labels', ask: '/ignition?rack=z', from: STRANGER, isJudged: true },
  { name: "/ignition in others' names", ask: '/ignition?mac={mac}', from: STRANGER, isJudged: false },
]

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    machines: { type: 'string', default: '400' },
    boots: { type: 'string', default: 'live' },
    only: { type: 'string', default: '' },
    against: { type: 'string' },
    profile: { type: 'string' },
  },
})
const machines = Number(values.machines)

if (process.getuid?.() !== 0) {
  console.log('skipped: needs root, for network namespaces')
  process.exit()
}

type Server = { readonly wire: Wire; readonly pid: number; readonly costs: Map<string, number[]> }

const folder = mkdtempSync(join(tmpdir(), 'bench-rates-'))
const servers: Server[] = []
try {
  servers.push(await serverOf('now', ROOT))
  if (values.against !== undefined) servers.push(await serverOf('earlier', values.against))
  console.log(`load ${loadavg()[0]?.toFixed(1)}; ${values.rounds} rounds of ${machines} machines`)
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    for (const one of CASES) {
      if (!new RegExp(values.only).test(one.name)) continue
      for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
        const cost = await costOf(server, one)
        if (round > 0) server.costs.set(one.name, [...(server.costs.get(one.name) ?? []), cost]) // the first warms up
      }
    }
  }
  const [now, earlier] = servers
  console.log('µs of processor time a request: earlier, now  ratio of medians, of the least')
  for (const [name, costs] of now?.costs ?? []) {
    const before = earlier?.costs.get(name) ?? []
    const ratio = median(costs) / median(before)
    const least = Math.min(...costs) / Math.min(...before)
    console.log(
      `${name.padEnd(28)} ${median(before).toFixed(0).padStart(6)}, ${median(costs).toFixed(0).padStart(6)}  ${ratio.toFixed(3)}, ${least.toFixed(3)}`,
    )
    if (ratio > BAR && CASES.find(one => one.name === name)?.isJudged === true) process.exitCode = 1
  }
} finally {
  await Promise.all(servers.map(({ wire }) => wire.close()))
  rmSync(folder, { recursive: true })
}

/** Microseconds of the server's processor time that a request takes, with the commits that follow it. */
async function costOf({ wire, pid }: Server, { ask, from }: Case): Promise<number> {
  const phase: Phase = { server: ADDRESS, machines, firstAddress: FIRST_ADDRESS, ask, ...(from && { from }) }
  const before = spentBy(pid)
  const program = join(import.meta.dirname, 'rates-load.ts')
  const { stdout } = await wire.run('client', process.execPath, [program, JSON.stringify(phase)], 120)
  const { asked, statuses } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Came
  const bad = Object.keys(statuses).filter(status => !['ack', 'again', '200'].includes(status))
  if (bad.length > 0) throw new Error(`${ask}: ${JSON.stringify(statuses)}`)
  await new Promise(resolve => setTimeout(resolve, 100)) // what is committed with patience
  return (spentBy(pid) - before) / 1000 / asked
}

/** Starts a server on its own wire, whose far end has the addresses of all machines. */
async function serverOf(name: string, checkout: string): Promise<Server> {
  const wire = await Wire.lay()
  try {
    const addresses = join(folder, 'addresses')
    const all = Array.from({ length: machines }, (_, n) => addressOf(FIRST_ADDRESS, n))
    writeFileSync(addresses, all.map(address => `address add ${address}/16 dev eth0\n`).join(''))
    await wire.run('client', 'ip', ['-batch', addresses], 30)
    await wire.run('client', 'ip', ['route', 'add', 'default', 'dev', 'eth0'], 5)
    const profiled =
      values.profile === undefined
        ? {}
        : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${join(values.profile, name)}` }
    const state = join(folder, name)
    mkdirSync(state)
    const declared = Array.from({ length: machines }, (_, n) => machineOf(n, addressOf(FIRST_ADDRESS, n)))
    const byRack = { id: 'by-rack', profile: 'live', selector: { rack: 'z' }, metadata: {} }
    const site = siteOf(declared, { profile: values.boots, groups: [byRack] })
    const pid = await startServer(wire, state, { checkout, site, env: profiled })
    return { wire, pid, costs: new Map() }
  } catch (error) {
    await wire.close()
    throw error
  }
}

function median(of: readonly number[]): number {
  return of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? Number.NaN
}
