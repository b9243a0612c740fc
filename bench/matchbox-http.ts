// Made-up requests over HTTP to Matchbox itself and to us, both over made-up data directories: as many rounds as are asked
// for, each with a directory of its own seed. The record keeps what was done, so that the command goes on where it was ended.
//
//   node_modules/.bin/node bench/matchbox-http.ts RECORD.jsonl [ROUNDS]

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { askBoth } from '#test/matchbox/live.ts'

/** Requests of a round. */
const REQUESTS = 1000

const [, , path = 'matchbox-http.jsonl', rounds = '20'] = process.argv
const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
const records = lines.map(line => JSON.parse(line) as { differences: string[] }) // written below
let differences = records.flatMap(record => record.differences).length

for (let seed = records.length + 1; seed <= Number(rounds); seed += 1) {
  const result = await askBoth(seed, REQUESTS)
  differences += result.differences.length
  appendFileSync(path, `${JSON.stringify({ seed, load: loadavg()[0], ...result })}\n`)
  console.log(`round ${seed}: ${result.requests} requests, ${result.differences.length} differences`)
}
process.exitCode = differences === 0 ? 0 : 1
