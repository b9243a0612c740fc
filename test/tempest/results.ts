// What a run of Tempest has shown, and its page in docs/. Pure.

/** One test, or the set-up of a class of tests, as results.py prints it. */
export type TestResult = {
  /** For example `tempest.api.image.v2.test_images.BasicOperationsImagesTest.test_delete_image[id-f848,smoke]`. */
  readonly test: string
  /** `exists`: it was only announced. */
  readonly status: 'success' | 'skip' | 'fail' | 'xfail' | 'uxsuccess' | 'inprogress' | 'exists'
  readonly seconds: number
  readonly details: { readonly reason?: string; readonly traceback?: string }
}

/** When and where a run was. */
export type RunWords = {
  readonly date: string
  readonly rack: string
  readonly version: string
  readonly seconds: number
}

/** Reads the lines that results.py printed: one result for every test that was announced or run. */
export function readResults(lines: string): TestResult[] {
  const told = lines
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as TestResult) // as results.py wrote it
  const ran = told.filter(({ status }) => status !== 'exists')
  const names = new Set(ran.map(({ test }) => test))
  const setUps = new Map(ran.map(result => [/^setUpClass \((.*)\)$/.exec(result.test)?.[1], result]))
  // A class that cannot be set up, or skips itself, says so once for all of its tests, and none of them runs.
  const never = told
    .filter(({ test, status }) => status === 'exists' && !names.has(test))
    .map(({ test, ...rest }) => ({ ...rest, ...setUps.get(classOf(test)), test }))
  return [...ran.filter(({ test }) => !test.startsWith('setUpClass ')), ...never]
}

function classOf(test: string): string {
  return test.replace(/\[.*\]/, '').replace(/\.[^.]*$/, '')
}

/** A test's name without Tempest's own beginning and without its tags. */
export function shortName(test: string): string {
  return test.replace(/\[.*\]/, '').replace(/^tempest\./, '')
}

/** Why a test was skipped, or the last line of what it failed with. */
export function reasonOf({ status, details }: TestResult): string {
  const [last = ''] = (details.traceback ?? '').trimEnd().split('\n').slice(-1)
  return (
    (details.reason ?? last).trim() || (status === 'fail' ? 'no reason is given' : 'the run was ended before')
  )
}

/** How many tests ended how. */
export function countsOf(results: readonly TestResult[]) {
  const count = (...statuses: readonly TestResult['status'][]) =>
    results.filter(({ status }) => statuses.includes(status)).length
  return {
    passed: count('success', 'xfail'),
    failed: count('fail', 'uxsuccess'),
    skipped: count('skip'),
    /** Announced, and not begun or not ended when the run was ended. */
    unfinished: count('exists', 'inprogress'),
  }
}

/** The part of docs/tempest.md that a run writes: counts, and every test that did not pass, by name and reason. */
export function reportOf(results: readonly TestResult[], run: RunWords): string {
  const { passed, failed, skipped, unfinished } = countsOf(results)
  const rows = (statuses: readonly TestResult['status'][]) =>
    results
      .filter(({ status }) => statuses.includes(status))
      .toSorted((one, other) => (one.test < other.test ? -1 : 1))
      .map(result => `| \`${shortName(result.test)}\` | ${cell(reasonOf(result))} |`)
  return [
    `${run.date}, rack \`${run.rack}\`, ${run.version}, ${Math.round(run.seconds)} s:`,
    `**${passed} passed, ${failed} failed, ${skipped} skipped, ${unfinished} not run** of ${results.length}.`,
    ...table('Failed', rows(['fail', 'uxsuccess'])),
    ...table('Skipped by Tempest', rows(['skip'])),
    ...table('Not run', rows(['exists', 'inprogress'])),
    '',
  ].join('\n')
}

function table(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `### ${title}`, '', '| test | reason |', '|---|---|', ...lines]
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').slice(0, 300)
}
