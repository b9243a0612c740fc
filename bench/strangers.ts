// What do strangers cost a declared machine? The whole server on one end of a wire; on the other a declared machine that
// boots again and again, and an attacker. The baseline is the same attacker aimed at a bare Node HTTP server or a UDP
// sink beside us, by turns in the same run: it takes processor time, too.
//
//   sudo node_modules/.bin/node bench/strangers.ts [--rounds 3] [--seconds 4] [--only explain,macs,declared,uuid,tftp,machines,restart,quiet]
//                                                  [--against CHECKOUT] [--server CHECKOUT] [--public-reads]
//
// `--against` names a checkout of an earlier version, with its node_modules: the quiet rates are compared by turns with it.
// `--server` measures that checkout in place of this one. `--public-reads` opens lists and explanations to the attackers, who
// are refused otherwise, as a fresh server refuses them. Ends with 1 when a bar is missed; what a run has measured it
// prints at once, so that parts may be run one by one.

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { CommandFailed } from '#host/command.ts'
import { MachineIndex } from '#server/machines/identity.ts'
import { JOURNAL_LIMITS, StrangerBoots } from '#server/machines/stranger-boots.ts'
import { machineOf, siteOf, spentBy, startServer } from './rack.ts'
import type { Came, Phase } from './rates-load.ts'
import type { Attack } from './strangers-attack.ts'
import { macOf, type Machine, type Measured } from './strangers-machine.ts'
import { PEER } from './strangers-peer.ts'
import { ADDRESS, Wire } from './wire.ts'

const ROOT = join(import.meta.dirname, '..')
const MACHINE_ADDRESS = '10.20.0.11'
/** A machine that is declared by UUID alone. */
const BY_UUID = { uuid: '5a0e7f00-0020-4000-8000-0000000000aa', address: '10.20.0.12' } as const
const MACHINES = 10_000
const STRANGERS = 100_000
/** The machines that boot for the quiet rates; more addresses overflow the kernel's table of neighbours. */
const BOOTING = { machines: 400, firstMachine: 256, firstAddress: 16 << 8 } as const
/** Turns of each server in a round of the quiet rates. */
const TURNS = 3
const ALL = 'explain,macs,declared,uuid,tftp,machines,restart,quiet'
/** What must hold. */
const BARS = { boot: 1.5, dhcp: 3, megabytes: 300, restart: 2, quiet: 0.95 } as const

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string', default: ALL },
    against: { type: 'string' },
    server: { type: 'string', default: ROOT },
    'public-reads': { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const only = new Set(values.only.split(','))
if (only.has('quiet') && values.against === undefined) {
  console.log('quiet rates are compared with an earlier version: name its checkout with --against')
  if (values.only !== ALL) process.exit(2)
}

if (process.getuid?.() !== 0) {
  console.log('skipped: needs root, for network namespaces')
  process.exit()
}

const folder = mkdtempSync(join(tmpdir(), 'bench-strangers-'))
const missed: string[] = []
let wire: Wire | undefined
console.log(`load ${loadavg()[0]?.toFixed(1)} at the start; ${rounds} rounds of ${seconds} s`)
try {
  await attacks()
  if (only.has('restart')) await restart()
  if (only.has('quiet') && values.against !== undefined) await quiet(values.against)
} finally {
  await wire?.close()
  rmSync(folder, { recursive: true })
}
for (const miss of missed) console.log(`missed: ${miss}`)
process.exitCode = missed.length > 0 ? 1 : 0

// --- attacks

async function attacks(): Promise<void> {
  const names = (['explain', 'macs', 'declared', 'uuid', 'tftp', 'machines'] as const).filter(name =>
    only.has(name),
  )
  if (names.length === 0) return
  wire = await Wire.lay()
  await prepare(wire)
  wire.start(process.execPath, [join(import.meta.dirname, 'strangers-peer.ts')])
  const server = await startOnWire(wire, values.server)
  console.log(
    'attack     boot ms: beside, under  ratio   DHCP p99 ms: beside, under  ratio   boots  resident MB',
  )
  for (const name of names) {
    const beside: Measured[] = []
    const under: Measured[] = []
    for (let round = 0; round < rounds; round += 1) {
      // The flood of `macs`, while the machine that is declared by UUID alone boots.
      const attack = name === 'uuid' ? 'macs' : name
      const isDhcp = attack === 'macs' || attack === 'declared'
      const booting = name === 'uuid' ? BY_UUID : { address: MACHINE_ADDRESS }
      beside.push(
        await attacked(wire, booting, {
          name: attack,
          host: ADDRESS,
          port: isDhcp ? PEER.dhcp : attack === 'tftp' ? PEER.tftp : PEER.http,
          machines: MACHINES,
        }),
      )
      under.push(
        await attacked(wire, booting, {
          name: attack,
          host: isDhcp ? '255.255.255.255' : ADDRESS,
          port: isDhcp ? 67 : attack === 'tftp' ? 69 : 8080,
          machines: MACHINES,
        }),
      )
    }
    const boot = [beside, under].map(all => median(all.flatMap(({ boots }) => boots)))
    const dhcp = [beside, under].map(all => median(all.map(({ dhcp: times }) => at(times, 0.99))))
    const ratios = [boot[1]! / boot[0]!, dhcp[1]! / dhcp[0]!]
    const megabytes = Math.round(
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server}/status`, 'utf8'))?.[1]) / 1024,
    )
    const boots = under.reduce((sum, one) => sum + one.boots.length, 0)
    console.log(
      `${name.padEnd(10)} ${ms(boot[0])}, ${ms(boot[1])} ${ratios[0]!.toFixed(2).padStart(6)}   ` +
        `${ms(dhcp[0])}, ${ms(dhcp[1])} ${ratios[1]!.toFixed(2).padStart(6)}   ${String(boots).padStart(5)}  ${megabytes}`,
    )
    if (!(ratios[0]! <= BARS.boot)) missed.push(`${name}: boot ${ratios[0]!.toFixed(2)} of ${BARS.boot}`)
    if (!(ratios[1]! <= BARS.dhcp)) missed.push(`${name}: DHCP p99 ${ratios[1]!.toFixed(2)} of ${BARS.dhcp}`)
    if (megabytes > BARS.megabytes) missed.push(`${name}: ${megabytes} of ${BARS.megabytes} MB`)
  }
  await wire.close()
  wire = undefined
}

/** The machine that boots. */
type Booting = Pick<Machine, 'address' | 'uuid'>

/** What the machine measures while an attacker is at work. */
async function attacked(on: Wire, booting: Booting, attack: Attack): Promise<Measured> {
  const attacker = on.startFar(process.execPath, [
    join(import.meta.dirname, 'strangers-attack.ts'),
    JSON.stringify(attack),
  ])
  try {
    await new Promise(resolve => setTimeout(resolve, 700)) // it starts
    return await measure(on, { what: 'boot', seconds, ...booting })
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    return { boots: [Infinity], dhcp: [Infinity], exchangesASecond: 0 } // not one boot within a minute
  } finally {
    attacker.kill('SIGKILL')
    await new Promise(resolve => setTimeout(resolve, 500))
  }
}

async function measure(
  on: Wire,
  part: Pick<Machine, 'what' | 'seconds'> & Partial<Booting>,
): Promise<Measured> {
  const machine: Machine = { server: ADDRESS, address: MACHINE_ADDRESS, machines: MACHINES, ...part }
  const program = join(import.meta.dirname, 'strangers-machine.ts')
  const { stdout } = await on.run(
    'client',
    process.execPath,
    [program, JSON.stringify(machine)],
    part.seconds + 60,
  )
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Measured
}

// --- restart

async function restart(): Promise<void> {
  const [without, full] = ['without', 'with'].map(name => join(folder, `restart-${name}`))
  for (const state of [without!, full!]) {
    mkdirSync(state, { recursive: true, mode: 0o700 })
    await fill(state, state === full ? STRANGERS : 0)
  }
  const times = new Map<string, number[]>([
    [without!, []],
    [full!, []],
  ])
  const first = await startedIn(full!) // what is too much is removed in its background
  for (let round = 0; round < Math.max(3, rounds); round += 1) {
    for (const [state, of] of times) of.push(await startedIn(state))
  }
  const [none = 0, some = 0] = [...times.values()].map(median)
  const ratio = some / none
  console.log(
    `restart: ${none.toFixed(2)} s without, ${some.toFixed(2)} s with strangers (${ratio.toFixed(2)}); the first with ${STRANGERS}: ${first.toFixed(2)} s (${(first / none).toFixed(2)})`,
  )
  if (!(ratio <= BARS.restart)) missed.push(`restart ${ratio.toFixed(2)} of ${BARS.restart}`)
  if (!(first / none <= BARS.restart))
    missed.push(`first restart ${(first / none).toFixed(2)} of ${BARS.restart}`)
}

/**
 * A store with a journal of 1,000 declared machines, and of strangers as earlier versions kept them. It is made by the code of the
 * checkout that is measured: an earlier version opens no store of a later one.
 */
async function fill(state: string, strangers: number): Promise<void> {
  const { SqliteStore } = (await measured(
    'store/sqlite/store.ts',
  )) as typeof import('#server/store/sqlite/store.ts')
  const { Journal } = (await measured('machines/journal.ts')) as typeof import('#server/machines/journal.ts')
  const store = new SqliteStore(join(state, 'pilotlight.db'))
  const machines = Array.from({ length: 1000 }, (_, n) => machineOf(n, addressOf(n)))
  await store.objects.putSite('rack-1', siteOf(machines), { who: 'bench', at: Date.now() })
  const all = {
    ...JOURNAL_LIMITS,
    strangers: 1e9,
    strangerBytes: 1e12,
    newStrangers: { perSecond: 1e9, burst: 1e9 },
  }
  const identities = new MachineIndex(machines)
  const journal = await Journal.open(
    store.events,
    () => identities,
    Date.now,
    error => console.error(error),
    { strangers: new StrangerBoots(all) },
  )
  for (const machine of machines) {
    const [mac] = machine.macs
    journal.record({ mac, layer: 'dhcp', kind: 'discover', text: 'asks', startsBoot: true })
    journal.record({ mac, layer: 'http', kind: 'script', text: 'runs live' })
  }
  for (let n = 0; n < strangers; n += 1) {
    const mac = macOf(0x7f000000 + n)
    journal.record({
      mac,
      layer: 'dhcp',
      kind: 'discover',
      text: 'PXE firmware looks for a server',
      startsBoot: true,
    })
    journal.record({ mac, layer: 'dhcp', kind: 'offer', text: 'offers 10.20.1.1, next snponly.efi by TFTP' })
    if (n % 1000 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  store.close()
}

/** A module of the server of the checkout that is measured. */
function measured(file: string): Promise<object> {
  return import(join(values.server, 'server', file)) as Promise<object>
}

/** Seconds from the start of a server to its first report that it serves; it is ended then. */
async function startedIn(state: string): Promise<number> {
  const flags = ['--address', '127.0.0.1', '--http-port', '0', '--agent-port', '0', '--no-dhcp', '--no-tftp']
  const began = performance.now()
  const child = spawn(join(values.server, 'bin/pilotlight'), ['serve', ...flags, '--state-path', state], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let took = Number.NaN
  for await (const line of createInterface(child.stderr)) {
    if (!line.includes('"text":"serving"')) continue
    took = (performance.now() - began) / 1000
    break
  }
  await new Promise(resolve => setTimeout(resolve, 1500)) // what it does in the background
  await ended(child)
  return took
}

// --- quiet

/** One turn of a server: how much it did a second, and the microseconds of processor time that each took. */
type Turn = { readonly perSecond: number; readonly micros: number }

/**
 * Rates of two servers that no one disturbs, by turns with each other: exchanges of many declared machines, and the requests of
 * the boots of some. The processor time beside them says the same on a machine that does something else, too.
 */
async function quiet(against: string): Promise<void> {
  const servers: { readonly on: Wire; readonly pid: number; readonly turns: Map<string, Turn[]> }[] = []
  try {
    for (const checkout of [values.server, against]) {
      const on = await Wire.lay()
      servers.push({ on, pid: await startQuiet(on, checkout), turns: new Map() })
    }
    const phases = ['DHCP', 'dhcp', '/ipxe?mac={mac}', '/ignition?mac={mac}']
    for (let round = 0; round <= rounds * TURNS; round += 1) {
      for (const phase of phases) {
        for (const { on, pid, turns } of round % 2 === 0 ? servers : servers.toReversed()) {
          const turn = await turnOf(on, pid, phase)
          if (round === 0 || phase === 'dhcp') continue // the first warms up
          const [what = ''] = phase.split('?', 1)
          turns.set(what, [...(turns.get(what) ?? []), turn])
        }
      }
    }
  } finally {
    await Promise.all(servers.map(({ on }) => on.close()))
  }
  const [ours, theirs] = servers.map(({ turns }) => turns)
  console.log(`quiet, load ${loadavg()[0]?.toFixed(1)}, ${rounds * TURNS} turns; medians`)
  console.log('           a second: earlier, now  ratio   processor s of 1,000: earlier, now  ratio of costs')
  for (const [what, now] of ours ?? []) {
    const earlier = theirs?.get(what) ?? []
    const [before, after] = [earlier, now].map(of => median(of.map(({ perSecond }) => perSecond)))
    const [cost, costNow] = [earlier, now].map(of => median(of.map(({ micros }) => micros)))
    // Turns that are beside each other have the same neighbours.
    const ratio = median(now.map(({ perSecond }, at) => perSecond / (earlier[at]?.perSecond ?? Number.NaN)))
    const costs = median(now.map(({ micros }, at) => micros / (earlier[at]?.micros ?? Number.NaN)))
    console.log(
      `${what.padEnd(10)} ${before!.toFixed(0).padStart(7)}, ${after!.toFixed(0).padStart(6)}  ${ratio.toFixed(3)}   ` +
        `${(cost! / 1000).toFixed(3).padStart(10)}, ${(costNow! / 1000).toFixed(3)}  ${costs.toFixed(3)}`,
    )
    if (!(ratio >= BARS.quiet)) missed.push(`quiet ${what}: ${ratio.toFixed(3)} of ${BARS.quiet}`)
  }
}

/** Starts a server; on the far end are the addresses of the machines that boot. */
async function startQuiet(on: Wire, checkout: string): Promise<number> {
  await prepare(on)
  const addresses = join(folder, 'addresses')
  const all = Array.from({ length: BOOTING.machines }, (_, n) => addressOf(BOOTING.firstMachine + n))
  writeFileSync(addresses, all.map(address => `address add ${address}/16 dev eth0\n`).join(''))
  await on.run('client', 'ip', ['-batch', addresses], 30)
  return startOnWire(on, checkout)
}

/**
 * `DHCP`: exchanges for some time. `dhcp`: one of each machine that boots, whose firmware begins a separate boot; then its
 * requests come from its own address.
 */
async function turnOf(on: Wire, pid: number, phase: string): Promise<Turn> {
  const before = spentBy(pid)
  let done: number
  let perSecond: number
  if (phase === 'DHCP') {
    perSecond = (await measure(on, { what: 'dhcp', seconds: 1 })).exchangesASecond
    done = perSecond
  } else {
    const program = join(import.meta.dirname, 'rates-load.ts')
    const asked: Phase = { ...BOOTING, server: ADDRESS, ask: phase }
    const { stdout } = await on.run('client', process.execPath, [program, JSON.stringify(asked)], 120)
    const came = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Came
    if (Object.keys(came.statuses).some(status => !['ack', 'again', '200'].includes(status)))
      throw new Error(`${phase}: ${JSON.stringify(came.statuses)}`)
    perSecond = came.perSecond
    done = came.asked
  }
  await new Promise(resolve => setTimeout(resolve, 100)) // what is committed with patience
  return { perSecond, micros: (spentBy(pid) - before) / 1000 / done }
}

// --- what they share

/** Gives the far end the machine's address, and a way for broadcasts. */
async function prepare(on: Wire): Promise<void> {
  for (const address of [MACHINE_ADDRESS, BY_UUID.address])
    await on.run('client', 'ip', ['address', 'add', `${address}/16`, 'dev', 'eth0'], 5)
  await on.run('client', 'ip', ['route', 'add', 'default', 'dev', 'eth0'], 5)
}

/** Starts a server on the wire, with a site of many declared machines; gives its process id. */
async function startOnWire(on: Wire, checkout: string): Promise<number> {
  const loaders = join(folder, 'loaders')
  mkdirSync(loaders, { recursive: true })
  writeFileSync(join(loaders, 'undionly.kpxe'), Buffer.alloc(70_000, 1))
  const open = values['public-reads'] ? ['--public-reads'] : []
  const machines = Array.from({ length: MACHINES }, (_, n) => machineOf(n, addressOf(n)))
  return startServer(on, mkdtempSync(join(folder, 'server-')), {
    checkout,
    site: withMachineByUuid(siteOf(machines)),
    flags: ['--loaders-path', loaders, ...open],
  })
}

function withMachineByUuid({ network, machines, profiles, groups }: ReturnType<typeof siteOf>) {
  const { uuid } = BY_UUID
  const machine = { name: 'u-1', macs: [], role: 'compute', labels: {}, ...BY_UUID }
  const group = { id: 'u-1', profile: 'live', selector: { uuid }, metadata: {} }
  return { network, machines: [...machines, machine], profiles, groups: [...groups, group] }
}

function addressOf(n: number): string {
  return n === 1 ? MACHINE_ADDRESS : `10.20.${16 + (n >> 8)}.${n & 255}`
}

function at(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

function median(times: readonly number[]): number {
  return at(times, 0.5)
}

function ms(time: number | undefined): string {
  return (time ?? Number.NaN).toFixed(1).padStart(7)
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>(resolve => void child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  await gone
}
