// Ends a test run: names what failed and what was skipped in the TAP files given, and counts in one line.

import { readFileSync } from 'node:fs'

type Case = { file: string; title: string; result: 'passed' | 'failed' | 'skipped'; why: string }

const [otherFailures = '0', ...files] = process.argv.slice(2)
const cases = files.flatMap(file => casesOf(readFileSync(file, 'utf8')))
const of = (result: Case['result']) => cases.filter(it => it.result === result)

for (const { file, title, why } of of('skipped')) console.log(`skipped  ${file}: ${title}${why ? ` (${why})` : ''}`)
for (const { file, title } of of('failed')) console.log(`FAILED   ${file}: ${title}`)
const failures = of('failed').length + Number(otherFailures)
console.log(`${of('passed').length} passed, ${failures} failed, ${of('skipped').length} skipped`)
process.exitCode = failures > 0 || of('passed').length === 0 ? 1 : 0

/** The cases of a TAP stream: the tests inside each file; a file that fails without one counts as one. */
function casesOf(tap: string): Case[] {
  const found: Case[] = []
  let inFile: Case[] = []
  for (const line of tap.split('\n')) {
    const match = /^( *)(not )?ok \d+ - (.*?)(?: # (SKIP|TODO|time=)\s*(.*?))?(?: \{)?$/.exec(line)
    if (match === null) continue
    const [, indent = '', not, title = '', directive, why = ''] = match
    const skipped = directive === 'SKIP' || directive === 'TODO'
    const result = skipped ? 'skipped' : not === undefined ? 'passed' : 'failed'
    if (indent.length === 4) inFile.push({ file: '', title, result, why: skipped ? why : '' })
    if (indent.length > 0) continue
    found.push(...inFile.map(it => ({ ...it, file: title })))
    if (inFile.length === 0 || (result === 'failed' && inFile.every(it => it.result !== 'failed')))
      found.push({ file: title, title: 'the file itself', result, why })
    inFile = []
  }
  return found
}
