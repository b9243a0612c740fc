// How long does a command take to start, compared with Node itself? Each is run by turns; the medians are compared.
//
//   node_modules/.bin/node bench/start.ts [--turns 10]
//
// Ends with 1 when `--help` or completion takes more than 4 times, or `plan` more than 12 times, what `node -e 0` takes.

import { spawnSync } from 'node:child_process'
import { loadavg } from 'node:os'
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
console.log(`load ${loadavg()[0]?.toFixed(1)}`)
process.exitCode = rows.every(({ met }) => met) ? 0 : 1

function seconds([program, ...args]: readonly [string, ...string[]]): number {
  const began = performance.now()
  const { status, stderr } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8', timeout: 60_000 })
  if (status !== 0) throw new Error(`${[program, ...args].join(' ')} ended with ${status}: ${stderr}`)
  return (performance.now() - began) / 1000
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}
