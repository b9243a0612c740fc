// The report at the end of a run: whatever is red, cut short or missing in what tap said, the run ends red.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

const REPORT = join(import.meta.dirname, 'report.ts')
const END = (status: number, files: number) => `# runner ended with ${status}, asked for ${files} files\n`
const GOOD =
  '# Subtest: a\n    ok 1 - one\n    ok 2 - two # time=3ms\n    1..2\nok 1 - a # time=9ms\n\n1..1\n'
const SKIPPING = '# Subtest: a\n    ok 1 - one\n    ok 2 - two # SKIP needs root\n    1..2\nok 1 - a\n1..1\n'

function report(results: string | undefined, ...flags: string[]): { status: number | null; said: string } {
  const file = join(t.testdir(results === undefined ? {} : { 'parts.tap': results }), 'parts.tap')
  const { status, stdout, stderr } = spawnSync(process.execPath, [REPORT, ...flags, file], {
    encoding: 'utf8',
    timeout: 10_000,
  })
  return { status, said: stdout + stderr }
}

t.test('a whole stream of passed tests is green, and the last line counts them', async t => {
  t.strictSame(report(GOOD + END(0, 1)), { status: 0, said: '2 passed, 0 failed, 0 skipped\n' })
})

t.test('a skip is named; where none is allowed the run is red', async t => {
  t.match(report(SKIPPING + END(0, 1)), {
    status: 0,
    said: /^skipped {2}a: two \(needs root\)\n1 passed, 0 failed, 1 skipped\n$/,
  })
  t.match(report(SKIPPING + END(0, 1), '--no-skips'), { status: 1, said: /1 passed, 1 failed, 1 skipped\n$/ })
})

const RED: Readonly<Record<string, string | undefined>> = {
  'a failed test':
    '# Subtest: a\n    ok 1 - one\n    not ok 2 - two\n    1..2\nnot ok 1 - a\n1..1\n' + END(1, 1),
  'a file that fails outside its tests': '# Subtest: a\n    ok 1 - one\n    1..1\nnot ok 1 - a\n' + END(1, 1),
  'a failed test without a title':
    '# Subtest: a\n    ok 1\n    not ok 2\n    1..2\nnot ok 1 - a\n' + END(1, 1),
  'a bail-out': `${GOOD}# Subtest: b\n    ok 1 - one\nBail out! should be equal\n${END(1, 2)}`,
  'a bail-out inside a file': '# Subtest: a\n    ok 1 - one\n    Bail out! no\nok 1 - a\n1..1\n' + END(0, 1),
  'a stream that ends within a file': `${GOOD}# Subtest: b\n    ok 1 - one\n${END(0, 1)}`,
  'a file that was never run': GOOD + END(0, 2),
  'a runner that ended badly after passed tests': GOOD + END(1, 1),
  'a runner that was killed': GOOD,
  'a runner that said nothing': END(0, 1),
  'an empty results file': '',
  'no results file': undefined,
}

for (const [what, results] of Object.entries(RED)) {
  t.test(`red: ${what}`, async t => {
    const { status, said } = report(results, '--check=ok')
    t.equal(status, 1, said)
    t.match(said, /^FAILED /m)
    t.match(said, /\d+ passed, [1-9]\d* failed, 0 skipped\n$/)
  })
}

t.test('red: a check that is not clean', async t => {
  t.match(report(GOOD + END(0, 1), '--check=bad'), { status: 1, said: /2 passed, 1 failed, 0 skipped\n$/ })
})
