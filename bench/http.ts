// Does the cost of an answer grow with the rack? /ipxe, /ignition and /metadata over one data directory in Matchbox's
// layout, for 10 to 100,000 groups, by the whole server as it ships; Matchbox itself over the same directory in the same
// run, as far as it gets (it reads every group's file for every request). The servers of all sizes are up at the same
// time and asked by turns, so that a minute in which the machine is slower is a minute for all; the median counts.
//
// Every machine asks once before anything is measured: its first request begins a boot, which is a write more than those
// that follow, and a small rack would have its first ones behind it before a large one. What that costs is first/s.
//
// With --bars it compares every page of a rack of 10 groups with Matchbox, and judges: requests a second and p99, cold (the first
// seconds of a process that has just started on an empty state, another one for each page and round) and warm (one process for
// all), and resident memory, after the start and after all loads. Both are asked by turns; a figure is the median of the ratios of
// neighbouring turns. The last two columns are processor time a request, which hardly depends on what else the machine does.
// Ends with 1 where a bar is missed. `--requests` asks so many in place of so many seconds, `--profile` leaves processor profiles
// of ours in a folder.
//
//   node_modules/.bin/node bench/http.ts [GROUPS...]
//   node_modules/.bin/node bench/http.ts --bars [--rounds 5] [--seconds 2 | --requests N] [--only PATTERN] [--profile FOLDER]

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { waitUntil } from '#progress/wait.ts'
import { freePort } from '#test/free-ports.ts'
import { programs, skip } from '#test/server/protocols/rpc/programs.ts'
import { macOf, type Load, type LoadResult } from './http-load.ts'
import { spentBy } from './rack.ts'
import { residentMegabytes, stop } from './serve.ts'

const CONNECTIONS = 8
/** Seconds of one load, and how many of them make a figure. */
const SECONDS = 2
const ROUNDS = 5
/** Beyond so many groups Matchbox needs seconds for one answer. */
const MATCHBOX_GROUPS = 10_000
const ROUTES = ['/ipxe', '/ignition', '/metadata'] as const

/** What `--bars` asks for, of how many groups, and what it wants. */
const PAGES = [
  '/ipxe',
  '/grub',
  '/ignition',
  '/generic',
  '/cloud',
  '/metadata',
  '/',
  '/boot.ipxe',
  '/assets/vmlinuz',
] as const
const FEW_GROUPS = 10
/** Of a small file, so that the request is measured and not the copying. */
const ASSET_BYTES = 4096
const BARS = { rate: 2, p99: 0.8, megabytes: 100 } as const

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bars: { type: 'boolean', default: false },
    rounds: { type: 'string', default: String(ROUNDS) },
    seconds: { type: 'string', default: String(SECONDS) },
    requests: { type: 'string' },
    only: { type: 'string', default: '' },
    profile: { type: 'string' },
  },
})
const sizes = positionals.length > 0 ? positionals.map(Number) : [10, 1000, 10_000, 100_000]
const folder = mkdtempSync(join(tmpdir(), 'bench-http-'))

/** The same groups, served by both. */
type Rack = {
  readonly groups: number
  readonly ours: Server
  readonly matchbox: Server | undefined
  /** Seconds until we answered. */
  readonly started: number
  /** First requests of machines a second. */
  readonly first: number
}

type Server = { readonly child: ChildProcess; readonly port: number }
type Row = { readonly groups: number; readonly route: string; readonly ours: LoadResult }

try {
  const howLong =
    options.requests === undefined
      ? { seconds: Number(options.seconds) }
      : { requests: Number(options.requests) }
  if (options.bars) await judge(Number(options.rounds), howLong, new RegExp(`^(?:${options.only})`))
  else await compareSizes()
} finally {
  rmSync(folder, { recursive: true })
}

async function compareSizes(): Promise<void> {
  const racks: Rack[] = []
  try {
    if (skip !== false) console.log(`without Matchbox: it ${skip}`)
    for (const groups of sizes) racks.push(await startRack(groups))
    console.log(`${CONNECTIONS} connections; medians of ${ROUNDS} loads of ${SECONDS} s`)
    console.log('  groups  route       ours/s   p50 ms   p99 ms   Matchbox/s   p99 ms   ratio')
    const rows: Row[] = []
    for (const route of ROUTES) rows.push(...(await measure(racks, route)))
    flatness(rows)
    console.log('  groups   start s   first/s   RSS MB')
    for (const { groups, started, first, ours } of racks) {
      const cells = [started.toFixed(1), String(first), String(residentMegabytes(ours.child))]
      console.log(String(groups).padStart(8) + cells.map(cell => cell.padStart(10)).join(''))
    }
  } finally {
    for (const { ours, matchbox } of racks) {
      await stop(ours.child)
      if (matchbox !== undefined) await stop(matchbox.child)
    }
  }
}

/** Compares all pages with Matchbox, and sets the exit status. */
async function judge(rounds: number, howLong: HowLong, only: RegExp): Promise<void> {
  if (skip !== false) throw new Error(`This needs Matchbox to compare with, and it ${skip}.`)
  console.log(
    `load ${loadavg()[0]?.toFixed(1)}; ${FEW_GROUPS} groups, ${CONNECTIONS} connections, ${rounds} rounds of ${JSON.stringify(howLong)}`,
  )
  const data = dataDirectory(FEW_GROUPS)
  await stop((await start('ours', data, join(folder, 'compiled'))).child) // so that Node has compiled all once
  const [ours, matchbox] = [await start('ours', data), await start('matchbox', data)]
  try {
    const atStart = residentMegabytes(ours.child)
    const paths = { cold: new Map<string, Turn[]>(), warm: new Map<string, Turn[]>() }
    for (let round = 0; round < rounds; round += 1) {
      for (const page of PAGES.filter(one => only.test(one))) {
        const cold = await byTurns(round, which => coldLoad(which, page, `${round}${page}`, howLong))
        paths.cold.set(page, [...(paths.cold.get(page) ?? []), cold])
        const warm = await byTurns(round, which =>
          weighedLoad(which === 'ours' ? ours : matchbox, page, howLong),
        )
        paths.warm.set(page, [...(paths.warm.get(page) ?? []), warm])
      }
    }
    console.log(
      '        page                   ours/s  Matchbox/s   ratio            p99 ms  Matchbox   ratio            µs  Matchbox',
    )
    for (const [name, pages] of Object.entries(paths))
      for (const [page, turns] of pages) console.log(`  ${name}  ${page.padEnd(20)}${judged(turns)}`)
    const after = residentMegabytes(ours.child)
    console.log(
      `  resident: ${atStart} MB after the start; after all loads ${after} MB of ${BARS.megabytes} ${verdict(after <= BARS.megabytes)}`,
    )
  } finally {
    await stop(ours.child)
    await stop(matchbox.child)
  }
}

/** For so many seconds, or so many requests: the second is for processor times, whose first requests cost most. */
type HowLong = { readonly seconds?: number; readonly requests?: number }

/** A load, and the microseconds of processor time that a request cost the server. */
type Weighed = LoadResult & { readonly microseconds: number }

/** Both sides of a page, one directly after the other. */
type Turn = { readonly ours: Weighed; readonly matchbox: Weighed }

async function byTurns(round: number, ask: (which: 'ours' | 'matchbox') => Promise<Weighed>): Promise<Turn> {
  if (round % 2 === 0) return { ours: await ask('ours'), matchbox: await ask('matchbox') }
  const matchbox = await ask('matchbox')
  return { ours: await ask('ours'), matchbox }
}

/** The first seconds of a process of its own, on an empty state. */
async function coldLoad(
  which: 'ours' | 'matchbox',
  page: string,
  state: string,
  howLong: HowLong,
): Promise<Weighed> {
  const server = await start(which, join(folder, `data-${FEW_GROUPS}`), join(folder, 'cold', state))
  try {
    return await weighedLoad(server, page, howLong)
  } finally {
    await stop(server.child)
  }
}

async function weighedLoad({ child, port }: Server, page: string, howLong: HowLong): Promise<Weighed> {
  const before = spentBy(child.pid ?? 0)
  const result = await load(port, page, FEW_GROUPS, howLong)
  const spent = (spentBy(child.pid ?? 0) - before) / 1000
  const answers = Object.values(result.statuses).reduce((sum, times) => sum + times, 0)
  return { ...result, microseconds: spent / answers }
}

/** The columns of a page, each ratio with its verdict. */
function judged(turns: readonly Turn[]): string {
  const of = (value: (turn: Turn) => number) => median(turns.map(value))
  const rate = of(({ ours, matchbox }) => ours.perSecond / matchbox.perSecond)
  const p99 = of(({ ours, matchbox }) => ours.p99 / matchbox.p99)
  return [
    of(({ ours }) => ours.perSecond)
      .toFixed(0)
      .padStart(9),
    of(({ matchbox }) => matchbox.perSecond)
      .toFixed(0)
      .padStart(12),
    rate.toFixed(2).padStart(8),
    ` of ${BARS.rate} ${verdict(rate >= BARS.rate)}`,
    of(({ ours }) => ours.p99)
      .toFixed(2)
      .padStart(8),
    of(({ matchbox }) => matchbox.p99)
      .toFixed(2)
      .padStart(10),
    p99.toFixed(2).padStart(8),
    ` of ${BARS.p99} ${verdict(p99 <= BARS.p99)}`,
    of(({ ours }) => ours.microseconds)
      .toFixed(0)
      .padStart(6),
    of(({ matchbox }) => matchbox.microseconds)
      .toFixed(0)
      .padStart(9),
  ].join('')
}

/** A missed bar also sets the exit status. */
function verdict(isMet: boolean): string {
  if (!isMet) process.exitCode = 1
  return isMet ? 'met   ' : 'MISSED'
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}

async function startRack(groups: number): Promise<Rack> {
  const data = dataDirectory(groups)
  const began = performance.now()
  const ours = await start('ours', data)
  const started = (performance.now() - began) / 1000
  const { perSecond: first } = await load(ours.port, ROUTES[0], groups, {})
  const isForBoth = skip === false && groups <= MATCHBOX_GROUPS
  return { groups, ours, started, first, matchbox: isForBoth ? await start('matchbox', data) : undefined }
}

async function measure(racks: readonly Rack[], route: string): Promise<Row[]> {
  const results = new Map<Rack, LoadResult[]>(racks.map(rack => [rack, []]))
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [{ ours, groups }, of] of results)
      of.push(await load(ours.port, route, groups, { seconds: SECONDS }))
  }
  const rows: Row[] = []
  for (const [{ groups, matchbox }, of] of results) {
    const own = of.toSorted((a, b) => a.perSecond - b.perSecond)[Math.floor(ROUNDS / 2)]! // of as many as there were rounds
    const other = matchbox && (await load(matchbox.port, route, groups, { seconds: SECONDS }))
    const cells = [
      String(groups).padStart(8),
      `  ${route.padEnd(10)}`,
      String(own.perSecond).padStart(8),
      own.p50.toFixed(2).padStart(9),
      own.p99.toFixed(2).padStart(9),
      (other ? String(other.perSecond) : '-').padStart(13),
      (other ? other.p99.toFixed(1) : '-').padStart(9),
      (other ? (own.perSecond / other.perSecond).toFixed(1) : '-').padStart(8),
    ]
    console.log(cells.join(''))
    rows.push({ groups, route, ours: own })
  }
  return rows
}

/** How far the figures from 1,000 groups up differ, each route by itself. */
function flatness(rows: readonly Row[]): void {
  for (const route of ROUTES) {
    const figures = rows
      .filter(row => row.route === route && row.groups >= 1000)
      .map(({ ours }) => ours.perSecond)
    if (figures.length < 2) continue
    const spread = (Math.max(...figures) / Math.min(...figures) - 1) * 100
    console.log(
      `  ${route}: the fastest of 1,000 groups and more is ${spread.toFixed(0)} % above the slowest`,
    )
  }
}

/** Groups that name each a MAC, spread over ten profiles, with one Ignition config that is a template. */
function dataDirectory(groups: number): string {
  const data = join(folder, `data-${groups}`)
  for (const name of ['groups', 'profiles', 'ignition', 'generic', 'cloud', 'assets'])
    mkdirSync(join(data, name), { recursive: true })
  const write = (path: string, value: unknown) => writeFileSync(join(data, path), JSON.stringify(value))
  for (let n = 0; n < 10; n += 1)
    write(`profiles/p${n}.json`, {
      id: `p${n}`,
      ignition_id: 'node.ign',
      generic_id: 'node.txt',
      cloud_id: 'node.yaml',
      boot: {
        kernel: '/assets/vmlinuz',
        initrd: ['/assets/initrd.img'],
        args: [
          'ignition.config.url=http://bench/ignition?mac=${mac:hexhyp}',
          'console=ttyS0',
          `profile=${n}`,
        ],
      },
    })
  write('ignition/node.ign', {
    ignition: { version: '3.3.0' },
    storage: { files: [{ path: '/etc/hostname', mode: 420, contents: { source: 'data:,node' } }] },
  })
  writeFileSync(join(data, 'assets/vmlinuz'), Buffer.alloc(ASSET_BYTES, 'kernel'))
  writeFileSync(join(data, 'generic/node.txt'), 'name={{.name}}\n')
  writeFileSync(join(data, 'cloud/node.yaml'), '#cloud-config\nhostname: {{.name}}\n')
  for (let n = 0; n < groups; n += 1)
    write(`groups/g${n}.json`, {
      id: `g${n}`,
      profile: `p${n % 10}`,
      selector: { mac: macOf(n) },
      metadata: { name: `node-${n}`, rack: String(n % 40) },
    })
  return data
}

async function start(
  which: 'ours' | 'matchbox',
  data: string,
  statePath = join(data, 'state'),
): Promise<Server> {
  const port = await freePort()
  const flags = [
    `-address=127.0.0.1:${port}`,
    `-data-path=${data}`,
    `-assets-path=${join(data, 'assets')}`,
    '-log-level=warn',
  ]
  const state = { PILOTLIGHT_STATE_PATH: statePath }
  const [program, args] =
    which === 'ours'
      ? [join(import.meta.dirname, '../bin/pilotlight'), ['serve', ...flags]]
      : [programs.matchbox, flags.map(flag => flag.replace('warn', 'warning'))]
  const profiled =
    which === 'ours' && options.profile !== undefined
      ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${options.profile}` }
      : {}
  const env = { ...process.env, ...state, ...profiled }
  const child = spawn(program, args, { stdio: 'ignore', env })
  await waitUntil(`${which} answers`, { limitSeconds: 120, everyMs: 50 }, async () => {
    if (child.exitCode !== null) throw new Error(`${which} ended with ${child.exitCode}`)
    const answer = await fetch(`http://127.0.0.1:${port}/metadata?mac=${macOf(0)}`)
    const text = await answer.text()
    return text.includes('NAME=node-0') ? { value: true } : { not: `${answer.status} ${text.slice(0, 80)}` }
  })
  return { child, port }
}

/** Asks for all machines by turns, for some seconds, or for each of them once. */
async function load(port: number, route: string, machines: number, howLong: HowLong): Promise<LoadResult> {
  const path = `${route}?mac={n}`
  const words: Load = { port, path, machines, connections: CONNECTIONS, ...howLong }
  const program = join(import.meta.dirname, 'http-load.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(words)])
  const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as LoadResult
  const wrong = Object.entries(result.statuses).filter(([status]) => status !== '200')
  if (wrong.length > 0)
    throw new Error(`${path} was answered with ${wrong.map(pair => pair.join(' x ')).join(', ')}`)
  return result
}
