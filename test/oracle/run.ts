// `node_modules/.bin/node test/oracle/run.ts RECORD [BATCHES]`: the large form of the comparison. Each batch has a seed, counted from
// 1, and adds a line to the record; one that is there already is not run again, so an ended run goes on where it was.

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beside } from '../server/formats/butane/samples.ts'
import { ask, differencesText } from './ask.ts'
import { corpus } from './corpus.ts'
import { skip } from './judge.ts'

/** Configs of a batch. */
const COUNT = 2000

const [record, batches = '10'] = process.argv.slice(2)
if (record === undefined || skip !== false) {
  process.stderr.write(`${skip || 'Usage: node_modules/.bin/node test/oracle/run.ts RECORD [BATCHES]'}\n`)
  process.exit(2)
}
const lines = existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : []
const done = new Set(lines.map(line => (JSON.parse(line) as { readonly seed: number }).seed))
const filesDir = mkdtempSync(join(tmpdir(), 'pilotlight-oracle-'))
write(filesDir, beside)
for (let seed = 1; seed <= Number(batches); seed += 1) {
  if (done.has(seed)) continue
  const { unexplained, ...counts } = await ask(corpus(seed, COUNT, filesDir), filesDir)
  const date = new Date().toISOString()
  appendFileSync(record, `${JSON.stringify({ date, seed, ...counts, unexplained: unexplained.length })}\n`)
  process.stdout.write(differencesText(unexplained))
  if (unexplained.length > 0) process.exitCode = 1
}
rmSync(filesDir, { recursive: true })

type Folder = { readonly [name: string]: string | Folder }

function write(path: string, folder: Folder): void {
  mkdirSync(path, { recursive: true })
  for (const [name, content] of Object.entries(folder)) {
    if (typeof content === 'string') writeFileSync(join(path, name), content)
    else write(join(path, name), content)
  }
}
