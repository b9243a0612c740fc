// How long does a command take to start, compared with Node itself? Each is run by turns; the medians are compared.
//
//   node_modules/.bin/node bench/start.ts [--turns 10]
//
// The server is compared with a bare one: Node with fastify, better-sqlite3 and one route. Each runs until it prints
// that it serves: ours with ten groups in Matchbox's layout, on an empty state (which makes certificates) and on the same again.
//
// Ends with 1 when `--help` or completion takes more than 4 times, or `plan` more than 12 times, what `node -e 0` takes; or when
// the server takes more than 3 times what the bare one takes.

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values: flags } = parseArgs({ options: { turns: { type: 'string', default: '10' } } })
const ROOT = join(import.meta.dirname, '..')
const PILOTLIGHT = join(ROOT, 'bin/pilotlight')

/** What is run, and how many times the bare start it may take. */
const COMMANDS = [
  { name: 'node -e 0', command: [process.execPath, '-e', '0'] },
  { name: 'pilotlight --help', command: [PILOTLIGHT, '--help'], bar: 4 },
  { name: 'completion of a verb', command: [PILOTLIGHT, '__complete', 'ma'], bar: 4 },
  { name: 'pilotlight plan', command: [PILOTLIGHT, 'plan', 'lab/racks/small/site.yaml'], bar: 12 },
] as const

/** The bare server; its first argument is the path of its database. JavaScript, so that it starts without a compiler. */
const BARE_SERVER = `
import Sqlite from 'better-sqlite3'
import fastify from 'fastify'
const sqlite = new Sqlite(process.argv[1])
sqlite.pragma('journal_mode = WAL')
sqlite.exec('CREATE TABLE IF NOT EXISTS lines (text TEXT)')
const app = fastify()
app.get('/', async () => 'ok')
await app.listen({ host: '127.0.0.1', port: 0 })
console.log('"serving"')
`

const taken = COMMANDS.map(({ command }) => (seconds(command), [] as number[])) // once before, so that all is cached
for (let turn = 0; turn < Number(flags.turns); turn += 1) {
  for (const [at, { command }] of COMMANDS.entries()) taken[at]?.push(seconds(command))
}
const bare = median(taken[0] ?? [])
const rows = COMMANDS.map(({ name, ...rest }, at) => {
  const bar = 'bar' in rest ? rest.bar : undefined
  const typical = median(taken[at] ?? [])
  const times = typical / bare
  return {
    name,
    seconds: typical.toFixed(3),
    times: times.toFixed(1),
    bar,
    met: bar === undefined || times <= bar,
  }
})
console.table(rows)
const servers = await serverRows()
console.table(servers)
console.log(`load ${loadavg()[0]?.toFixed(1)}`)
process.exitCode = [...rows, ...servers].every(({ met }) => met) ? 0 : 1

/** The start of the server, on an empty state and again, beside that of a bare one, by turns. */
async function serverRows() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-start-'))
  try {
    const data = join(folder, 'data')
    for (const name of ['profiles', 'groups']) mkdirSync(join(data, name), { recursive: true })
    for (let n = 0; n < 10; n += 1) {
      const profile = { id: `p${n}`, boot: { kernel: '/assets/vmlinuz', initrd: ['/assets/initrd'] } }
      const group = { id: `g${n}`, profile: `p${n}`, selector: { mac: `52:54:00:00:00:0${n}` } }
      writeFileSync(join(data, `profiles/p${n}.json`), JSON.stringify(profile))
      writeFileSync(join(data, `groups/g${n}.json`), JSON.stringify(group))
    }
    const state = join(folder, 'state')
    const ours = [
      PILOTLIGHT,
      'serve',
      '-address',
      '127.0.0.1:0',
      '-data-path',
      data,
      '-assets-path=',
    ] as const
    const bare = [
      process.execPath,
      '--input-type=module',
      '--eval',
      BARE_SERVER,
      join(folder, 'bare.db'),
    ] as const
    const all: Record<'bare' | 'first' | 'again', number[]> = { bare: [], first: [], again: [] }
    for (let turn = 0; turn <= Number(flags.turns); turn += 1) {
      rmSync(state, { recursive: true, force: true })
      const now = {
        bare: await untilServing(bare, state),
        first: await untilServing(ours, state),
        again: await untilServing(ours, state),
      }
      if (turn > 0) for (const name of ['bare', 'first', 'again'] as const) all[name].push(now[name]) // all is cached
    }
    const row = (name: string, of: readonly number[], bar?: number) => {
      const times = median(of) / median(all.bare)
      const met = bar === undefined || times <= bar
      return { name, seconds: median(of).toFixed(3), times: times.toFixed(2), bar, met }
    }
    return [
      row('node with fastify, better-sqlite3', all.bare),
      row('pilotlight serve, empty state', all.first, 3),
      row('pilotlight serve, again', all.again, 3),
    ]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function untilServing(
  [program, ...args]: readonly [string, ...string[]],
  state: string,
): Promise<number> {
  const began = performance.now()
  const env = { ...process.env, PILOTLIGHT_STATE_PATH: state }
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise(resolve => void child.once('exit', resolve))
  let taken: number | undefined
  let said = ''
  const hear = (bytes: Buffer) => {
    said += bytes.toString()
    if (taken !== undefined || !said.includes('"serving"')) return
    taken = (performance.now() - began) / 1000
    child.kill('SIGTERM')
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  await ended
  if (taken === undefined) throw new Error(`${program} did not serve: ${said}`)
  return taken
}

function seconds([program, ...args]: readonly [string, ...string[]]): number {
  const began = performance.now()
  const { status, stderr } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8', timeout: 60_000 })
  if (status !== 0) throw new Error(`${[program, ...args].join(' ')} ended with ${status}: ${stderr}`)
  return (performance.now() - began) / 1000
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}
