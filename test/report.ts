// Ends a test run: shows what failed, names what was skipped, and counts in one line, which is the last. Whatever it
// cannot account for counts as failed: a results file that is missing or cut short, fewer files than were asked for, a
// runner that ended badly.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'

type Case = { file: string; title: string; result: 'passed' | 'failed' | 'skipped'; said: string }

/**
 * Skips that a whole run may have: what no set-up can bring to a machine that lacks it, what takes minutes of an emulated machine and is run by
 * hand, and reports that an open issue resolves.
 */
const EXCUSED =
  /KVM|cgroup v2|beside the project|terraform is not on the PATH|takes minutes of an emulated machine|the issues? on .+ \(\d+/

/** The line that `test/run` adds to a results file once the runner has ended. */
const RUNNER_ENDED = /^# runner ended with (\d+), asked for (\d+) files$/m

const { values, positionals } = parseArgs({
  options: { check: { type: 'string' }, 'no-skips': { type: 'boolean', default: false } },
  allowPositionals: true,
})
const cases = positionals.flatMap(file => runOf(basename(file), readIfThere(file)))
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

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // runOf counts it as failed
  }
}

/** The cases of one run of tap, with one more when the run itself does not add up. */
function runOf(name: string, tap: string | undefined): Case[] {
  const lost = (title: string): Case => ({ file: name, title, result: 'failed', said: '' })
  if (tap === undefined) return [lost('the results are missing')]
  const found = casesOf(tap)
  const [, status, wanted] = RUNNER_ENDED.exec(tap) ?? []
  const files = tap.match(/^(not )?ok \d+/gm)?.length ?? 0
  const red = found.some(({ result }) => result === 'failed')
  if (status === undefined) return [...found, lost('the runner did not come to its end')]
  if (files < Number(wanted)) return [...found, lost(`${files} of ${wanted} files were run to their end`)]
  if (status !== '0' && !red) return [...found, lost(`the runner ended with ${status}, and no test says why`)]
  return found
}

/**
 * The cases of a TAP stream: the tests inside each file (indented by four), with what a failed one said. A file that
 * fails outside its tests, or has none, is a case itself; so is a bail-out, and a file whose end is not reported.
 */
function casesOf(tap: string): Case[] {
  const found: Case[] = []
  let inside: Case[] = []
  let said: string[] = []
  let file = 'a file without a name'
  for (const line of tap.split('\n')) {
    file = /^# Subtest: (.*)$/.exec(line)?.[1] ?? file
    const bail = /^(?: {4})?Bail out!\s*(.*)$/.exec(line)
    if (bail !== null) {
      inside.push(failedCase(`bail out: ${bail[1] || 'no reason given'}`, said))
      said = []
    }
    const result = /^(| {4})(not )?ok \d+(?: - (.*))?$/.exec(line)
    if (result === null) {
      said.push(line)
      continue
    }
    const [, indent = '', not, text = ''] = result
    const [title = '', directive = ''] = text.replace(/ \{$/, '').split(/ # (?=SKIP|TODO|time=)/)
    const skip = /^(?:SKIP|TODO)\s*(.*)$/.exec(directive)
    const one: Case = skip
      ? { file: title, title, result: 'skipped', said: (skip[1] ?? '').replace(/ # time=.*$/, '') }
      : not === undefined
        ? { file: title, title, result: 'passed', said: '' }
        : failedCase(title, said)
    said = []
    if (indent !== '') {
      inside.push(one)
      continue
    }
    found.push(...inside.map(it => ({ ...it, file: title })))
    const toldInside = inside.some(({ result }) => result === 'failed')
    if (inside.length === 0 || (one.result === 'failed' && !toldInside))
      found.push({ ...one, file: title, title: 'the file itself' })
    inside = []
  }
  if (inside.length > 0) {
    found.push(...inside.map(it => ({ ...it, file })))
    found.push({ ...failedCase('the file did not come to its end', said), file })
  }
  return found
}

function failedCase(title: string, said: readonly string[]): Case {
  return { file: title, title, result: 'failed', said: said.slice(-60).join('\n') }
}
