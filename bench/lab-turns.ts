// Is the whole way as fast as it was? Two checkouts bring up the same rack by turns, so that a slow quarter of an hour of the
// host hits both. Each run is written to a record as soon as it ends: the same command goes on where it was stopped.
//
//   sudo node_modules/.bin/node bench/lab-turns.ts --peer ../pilotlight-5c1eab4 [--turns 5] [--rack FILE] [--record FILE]
//
// The peer is another checkout with its node_modules. Both must have their images (`npm run lab` once in each).
// Ends with 1 when the median is more than `--bar` (1.03) times the peer's, or when a run failed.

import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { loadNow, openRecord } from './record.ts'

const { values: flags } = parseArgs({
  options: {
    peer: { type: 'string' },
    turns: { type: 'string', default: '5' },
    rack: { type: 'string', default: 'lab/racks/small/rack.yaml' },
    record: { type: 'string', default: 'lab-turns.jsonl' },
    bar: { type: 'string', default: '1.03' },
  },
})
if (flags.peer === undefined) throw new Error('Give --peer DIRECTORY: the checkout to compare with.')

/** Seconds in which a run must end. */
const RUN_LIMIT_SECONDS = 600

/** One run, as it is recorded: seconds from power-on to a guest that answers, absent when it failed. */
type Run = {
  readonly side: Side
  readonly turn: number
  readonly at: string
  readonly load: number
  readonly answered?: number
  readonly failed?: string
}
type Side = 'ours' | 'peer'

const checkouts: Readonly<Record<Side, string>> = {
  ours: resolve(import.meta.dirname, '..'),
  peer: resolve(flags.peer),
}
const record = openRecord<Run>(flags.record)
for (let turn = 1; turn <= Number(flags.turns); turn += 1) {
  // Who begins alternates, too.
  const order: readonly Side[] = turn % 2 === 0 ? ['ours', 'peer'] : ['peer', 'ours']
  for (const side of order) {
    if (record.lines().some(run => run.side === side && run.turn === turn)) continue
    const run = await bringUp(side, turn)
    record.add(run)
    console.table([run])
  }
}
const ours = median('ours')
const peer = median('peer')
const ratio = ours / peer
console.log(
  `median of ${flags.turns}: ours ${ours} s, peer ${peer} s, ratio ${ratio.toFixed(3)} (bar ${flags.bar})`,
)
const failures = record.lines().filter(run => run.answered === undefined).length
if (failures > 0) console.log(`${failures} runs failed`)
process.exitCode = failures > 0 || !(ratio <= Number(flags.bar)) ? 1 : 0

function median(side: Side): number {
  const seconds = record
    .lines()
    .flatMap(run => (run.side === side && run.answered !== undefined ? run.answered : []))
  seconds.sort((one, other) => one - other)
  const middle = Math.floor(seconds.length / 2)
  // Both ends of the middle of an even number; NaN, which no bar lets pass, when there is none.
  return seconds.length % 2 === 1
    ? (seconds[middle] ?? Number.NaN)
    : ((seconds[middle - 1] ?? Number.NaN) + (seconds[middle] ?? Number.NaN)) / 2
}

/** Brings the rack up and down in one checkout, in a lab with its own name. */
async function bringUp(side: Side, turn: number): Promise<Run> {
  const started = { side, turn, at: new Date().toISOString(), load: loadNow() }
  const directory = checkouts[side]
  const child = spawn(
    join(directory, 'bin/pilotlight'),
    ['lab', 'up', flags.rack, '--lab', `turns-${side}`],
    {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUN_LIMIT_SECONDS * 1000,
      killSignal: 'SIGINT', // it takes its lab down
    },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  const status = await new Promise<number | null>(done => child.on('close', done))
  const [, answered] = /([\d.]+) s to its answer from outside/.exec(said) ?? []
  if (status === 0 && answered !== undefined) return { ...started, answered: Number(answered) }
  return { ...started, failed: said.trimEnd().split('\n').slice(-5).join(' | ') }
}
