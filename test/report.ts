// Ends a test run: shows what failed, names what was skipped, and counts in one line, which is the last.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

type Case = { file: string; title: string; result: 'passed' | 'failed' | 'skipped'; said: string }

/** Skips that a whole run may have: what no set-up can bring to a machine that lacks it. */
const EXCUSED = /KVM|cgroup v2|beside the project/

const { values, positionals } = parseArgs({
  options: { check: { type: 'string' }, 'no-skips': { type: 'boolean', default: false } },
  allowPositionals: true,
})
const cases = positionals.flatMap(file => casesOf(readFileSync(file, 'utf8')))
if (values.check !== undefined) {
  const result = values.check === 'ok' ? 'passed' : 'failed'
  cases.unshift({ file: 'npm run check', title: 'types, layout and lint are clean', result, said: '' })
}
const skipped = cases.filter(({ result }) => result === 'skipped')
const unexcused = values['no-skips'] ? skipped.filter(({ said }) => !EXCUSED.test(said)) : []
const failed = cases.filter(({ result }) => result === 'failed')
const passed = cases.filter(({ result }) => result === 'passed')

for (const { file, title, said } of skipped)
  console.log(`skipped  ${file}: ${title}${said ? ` (${said})` : ''}`)
for (const { file, title, said } of failed) console.log(`FAILED   ${file}: ${title}\n${said}`)
if (unexcused.length > 0) console.log(`FAILED   ${unexcused.length} of the skipped must run here`)
if (passed.length === 0) console.log('FAILED   no test passed')
const failures = failed.length + (unexcused.length > 0 ? 1 : 0)
console.log(`${passed.length} passed, ${failures} failed, ${skipped.length} skipped`)
process.exitCode = failures > 0 || passed.length === 0 ? 1 : 0

/**
 * The cases of a TAP stream: the tests inside each file (indented by four), with what a failed one said. A file that
 * fails outside its tests, or has none, is a case itself.
 */
function casesOf(tap: string): Case[] {
  const found: Case[] = []
  let inside: Case[] = []
  let said: string[] = []
  for (const line of tap.split('\n')) {
    const result = /^(| {4})(not )?ok \d+ - (.*)$/.exec(line)
    if (result === null) {
      said.push(line)
      continue
    }
    const [, indent = '', not, text = ''] = result
    const [title = '', directive = ''] = text.replace(/ \{$/, '').split(/ # (?=SKIP|TODO|time=)/)
    const skip = /^(?:SKIP|TODO)\s*(.*)$/.exec(directive)
    const one: Case = {
      file: title,
      title: 'the file itself',
      result: skip ? 'skipped' : not === undefined ? 'passed' : 'failed',
      said: skip
        ? (skip[1] ?? '').replace(/ # time=.*$/, '')
        : not === undefined
          ? ''
          : said.slice(-60).join('\n'),
    }
    said = []
    if (indent !== '') {
      inside.push({ ...one, title })
      continue
    }
    found.push(...inside.map(it => ({ ...it, file: title })))
    const toldInside = inside.some(({ result }) => result === 'failed')
    if (inside.length === 0 || (one.result === 'failed' && !toldInside)) found.push(one)
    inside = []
  }
  return found
}
