// Does the cost of an answer grow with the rack? /ipxe, /ignition and /metadata over one data directory in Matchbox's
// layout, for 10 to 100,000 groups, by the whole server as it ships; Matchbox itself over the same directory in the same
// run, as far as it gets (it reads every group's file for every request). Every machine asks once before anything is
// measured: its first request begins a boot, which is a write more than those that follow, and a small rack would have
// its first ones behind it before a large one. What that costs is told as first/s.
//
//   node_modules/.bin/node bench/http.ts [GROUPS...]

import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { waitUntil } from '#progress/wait.ts'
import { freePort } from '#test/free-ports.ts'
import { programs, skip } from '#test/server/rpc/programs.ts'
import { macOf } from './http-load.ts'
import type { Load, LoadResult } from './http-load.ts'
import { residentMegabytes, stop } from './serve.ts'

const CONNECTIONS = 8
const SECONDS = 4
/** Beyond so many groups Matchbox needs seconds for one answer. */
const MATCHBOX_GROUPS = 10_000
const ROUTES = ['/ipxe?mac={n}', '/ignition?mac={n}', '/metadata?mac={n}']
const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10, 1000, 10_000, 100_000]
const folder = mkdtempSync(join(tmpdir(), 'bench-http-'))

type Row = { groups: number; route: string; ours: LoadResult; matchbox: LoadResult | undefined }

try {
  if (skip !== false) console.log(`without Matchbox: it ${skip}`)
  console.log(`${CONNECTIONS} connections, ${SECONDS} s a figure`)
  console.log(
    '  groups  route       ours/s   p50 ms   p99 ms   Matchbox/s   p99 ms   ratio   start s   first/s   RSS MB',
  )
  const rows: Row[] = []
  for (const groups of sizes) rows.push(...(await measure(groups)))
  flatness(rows)
} finally {
  rmSync(folder, { recursive: true })
}

async function measure(groups: number): Promise<Row[]> {
  const data = dataDirectory(groups)
  const began = performance.now()
  const ours = await start('ours', data)
  const started = (performance.now() - began) / 1000
  const first = await load(ours.port, ROUTES[0]!, groups, undefined) // there is one
  const results: LoadResult[] = []
  for (const path of ROUTES) results.push(await load(ours.port, path, groups, SECONDS))
  const megabytes = residentMegabytes(ours.child)
  await stop(ours.child)
  const theirs: (LoadResult | undefined)[] = []
  if (skip === false && groups <= MATCHBOX_GROUPS) {
    const matchbox = await start('matchbox', data)
    for (const path of ROUTES) theirs.push(await load(matchbox.port, path, groups, SECONDS))
    await stop(matchbox.child)
  }
  rmSync(data, { recursive: true })
  return ROUTES.map((path, index) => {
    const route = path.split('?')[0] ?? ''
    const [own, other] = [results[index]!, theirs[index]] // one for each route
    const cells = [
      String(groups).padStart(8),
      `  ${route.padEnd(10)}`,
      String(own.perSecond).padStart(8),
      own.p50.toFixed(2).padStart(9),
      own.p99.toFixed(2).padStart(9),
      (other ? String(other.perSecond) : '-').padStart(13),
      (other ? other.p99.toFixed(1) : '-').padStart(9),
      (other ? (own.perSecond / other.perSecond).toFixed(1) : '-').padStart(8),
      (index === 0 ? started.toFixed(1) : '').padStart(10),
      (index === 0 ? String(first.perSecond) : '').padStart(10),
      (index === 0 ? String(megabytes) : '').padStart(9),
    ]
    console.log(cells.join('').trimEnd())
    return { groups, route, ours: own, matchbox: other }
  })
}

/** How far the figures from 1,000 groups up lie apart, each route by itself. */
function flatness(rows: readonly Row[]): void {
  for (const path of ROUTES) {
    const route = path.split('?')[0] ?? ''
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
  for (const name of ['groups', 'profiles', 'ignition']) mkdirSync(join(data, name), { recursive: true })
  const write = (path: string, value: unknown) => writeFileSync(join(data, path), JSON.stringify(value))
  for (let n = 0; n < 10; n += 1)
    write(`profiles/p${n}.json`, {
      id: `p${n}`,
      ignition_id: 'node.ign',
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
): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort()
  const flags = [`-address=127.0.0.1:${port}`, `-data-path=${data}`, '-assets-path=', '-log-level=warn']
  const state = { PILOTLIGHT_STATE_PATH: join(data, 'state') }
  const [program, args] =
    which === 'ours'
      ? [join(import.meta.dirname, '../bin/pilotlight'), ['serve', ...flags]]
      : [programs.matchbox, flags.map(flag => flag.replace('warn', 'warning'))]
  const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...state } })
  await waitUntil(`${which} answers`, { limitSeconds: 120, everyMs: 50 }, async () => {
    if (child.exitCode !== null) throw new Error(`${which} ended with ${child.exitCode}`)
    const answer = await fetch(`http://127.0.0.1:${port}/metadata?mac=${macOf(0)}`)
    const text = await answer.text()
    return text.includes('NAME=node-0') ? { value: true } : { not: `${answer.status} ${text.slice(0, 80)}` }
  })
  return { child, port }
}

async function load(
  port: number,
  path: string,
  machines: number,
  seconds: number | undefined,
): Promise<LoadResult> {
  const words: Load = { port, path, machines, connections: CONNECTIONS, ...(seconds && { seconds }) }
  const program = join(import.meta.dirname, 'http-load.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(words)])
  const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as LoadResult
  const wrong = Object.entries(result.statuses).filter(([status]) => status !== '200')
  if (wrong.length > 0)
    throw new Error(`${path} was answered with ${wrong.map(pair => pair.join(' x ')).join(', ')}`)
  return result
}
