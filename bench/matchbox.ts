// Made-up dates, requests, templates and files, answered by us and by Go's standard library: as many rounds as are asked for,
// each from its own seed. The record keeps what was done, so that the command goes on where it was ended.
//
//   node_modules/.bin/node bench/matchbox.ts RECORD [ROUNDS]

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { askGo } from '#test/matchbox/go.ts'
import { KINDS } from '#test/matchbox/kinds.ts'
import { sfc32 } from './random.ts'

/** Questions of each kind in a round. */
const QUESTIONS = 20_000

type Record = { rounds: number; questions: number; differences: string[] }

const [, , path = 'matchbox-record.json', rounds = '10'] = process.argv
const record: Record = existsSync(path)
  ? (JSON.parse(readFileSync(path, 'utf8')) as Record) // written below
  : { rounds: 0, questions: 0, differences: [] }

for (const last = Number(rounds); record.rounds < last;) {
  const seed = record.rounds + 1
  const asked = Object.entries(KINDS).flatMap(([kind, ask], turn) => {
    const random = sfc32(seed * 100 + turn)
    return Array.from({ length: QUESTIONS }, () => ({ kind, ...ask(random) }))
  })
  const answers = await askGo(asked.map(({ question }) => question))
  for (const [turn, { kind, shown, ours, go }] of asked.entries()) {
    const said = go(answers[turn]!) // as many as were asked
    if (said !== ours) record.differences.push(`${kind} ${shown}: Go ${said}, ours ${ours}`)
  }
  record.rounds = seed
  record.questions += asked.length
  writeFileSync(path, `${JSON.stringify(record, null, 2)}\n`)
  console.log(`round ${seed}: ${record.questions} questions, ${record.differences.length} differences`)
}
process.exitCode = record.differences.length === 0 ? 0 : 1
