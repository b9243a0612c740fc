// Verbs on several objects that are not all-or-nothing: each is tried, and the end says which ones it was not done for.

import { Failure } from '#model/error.ts'
import { describeError, reportOf, type ErrorReport } from './error-report.ts'
import { EXIT, exitAs } from './exit.ts'
import { print, printJson } from './terminal/show.ts'

/** What became of one object, as `--json` lists it. */
export type Outcome = {
  readonly id: string
  readonly state?: string
  readonly details?: object
  readonly error?: ErrorReport
}

/**
 * Does `work` for each id in its order, or for all at the same time with `together`, and prints what it gives: a line, and the
 * object's new state. One that fails does not keep the others from being tried. The exit status is 7 when it was done for some and not for others; where it was done for
 * none, that of the first error.
 *
 * @throws what failed, where one object was named
 */
export async function forEach(
  ids: readonly string[],
  json: boolean,
  work: (id: string) => Promise<{ readonly state: string; readonly line: string; readonly details?: object }>,
  { together = false }: { readonly together?: boolean } = {},
): Promise<void> {
  const begun = together ? new Map(ids.map(id => [id, work(id)])) : undefined
  if (begun !== undefined) await Promise.allSettled(begun.values())
  const outcomes: Outcome[] = []
  const failures: unknown[] = []
  for (const id of ids) {
    try {
      const { state, line, details } = await (begun?.get(id) ?? work(id))
      outcomes.push({ id, state, ...(details && { details }) })
      if (!json) print(line)
    } catch (error) {
      if (ids.length === 1) throw error
      failures.push(error)
      outcomes.push({ id, error: reportOf(error) })
      process.stderr.write(`${id}: ${describeError(error)}\n`)
    }
  }
  if (json) printJson(outcomes)
  if (failures.length === 0) return
  const failed = outcomes.flatMap(({ id, error }) => (error === undefined ? [] : [id])).join(' ')
  if (failures.length === ids.length) {
    process.stderr.write(`error: it was done for none of ${failed}\n`)
    return exitAs(reportOf(failures[0]).exitStatus)
  }
  const what = `it was done for ${ids.length - failures.length} of ${ids.length}, and not for ${failed}`
  const partly = new Failure(
    'PARTLY_FAILED',
    what,
    'do what is said of each above, and run the same for these',
  )
  process.stderr.write(`${describeError(partly)}\n`)
  exitAs(EXIT.partly)
}
