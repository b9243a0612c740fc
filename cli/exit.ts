// How the command line ends: one table of exit codes, and one way to print what went wrong.

import { FileProblems } from '#rack/site/problems.ts'
import { WaitedTooLong } from '#progress/wait.ts'
import { cleanLines } from '#model/clean.ts'

/** The exit statuses, by the name that code uses. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  waitedTooLong: 5,
  unreachable: 6,
  differs: 8,
  interrupted: 130,
} as const

/** What each exit status means to a person; `pilotlight help exit-codes` prints it. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  done: 'all was done, or was done already',
  failed: 'something went wrong on the way; the message says what, and the same command may be run again',
  usage: 'the command line, a setting or the site file cannot be used as it is; nothing was started',
  notFound: 'what was named is not there: a machine, a group, a profile, a lab, a help topic',
  refused:
    'it stands against what is there already, for example a lab of that name, or you may not; nothing was touched',
  waitedTooLong: 'a time limit passed; the message says what was seen last',
  unreachable: 'the Pilotlight server, or the cluster, did not answer',
  differs: 'what is there differs from what the files say, and --exit-code was given',
  interrupted: 'interrupted by Ctrl-C or SIGTERM; run the same again to go on',
}

/** An error that knows its exit status and how to mend what it tells of. */
export class CommandError extends Error {
  readonly status: number
  readonly remedy: string
  constructor(status: number, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    this.remedy = remedy
  }
}

/** The exit status that an error stands for. */
export function statusOf(error: unknown): number {
  if (error instanceof CommandError) return error.status
  if (error instanceof FileProblems) return EXIT.usage
  if (error instanceof WaitedTooLong) return EXIT.waitedTooLong
  if (!(error instanceof Error)) return EXIT.failed
  if (error.name === 'AbortError') return EXIT.interrupted
  const code = 'code' in error ? String(error.code) : ''
  if (code === 'VERIFICATION_FAILED') return statusOf(error.cause) // of the check that failed
  return STATUS_OF_CODE[code] ?? EXIT.failed
}

/** What the chart stage, the verification and the assets throw on purpose, by code: its classes are loaded only by the verbs that need them. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  ASSET_IN_THE_WAY: EXIT.refused,
  BAD_BACKUP: EXIT.usage,
  NOTHING_TO_BACK_UP: EXIT.notFound,
  STATE_NOT_EMPTY: EXIT.refused,
  CANNOT_MAKE_DIRECTORY: EXIT.usage,
  CHART_LOCK: EXIT.usage,
  CHART_NOT_FOUND: EXIT.notFound,
  CHART_PLAN: EXIT.usage,
  CHARTS_LOCKED: EXIT.refused,
  CLUSTER_UNREACHABLE: EXIT.unreachable,
  GUEST_SERVER_UNREACHABLE: EXIT.unreachable,
  INVALID_ASSET_NAME: EXIT.usage,
  NOT_FOUND: EXIT.notFound,
  PREFLIGHT_FAILED: EXIT.refused,
  REMOVAL_REFUSED: EXIT.refused,
  SEALED: EXIT.usage,
  STATE_IN_USE: EXIT.refused,
  UNFIT_AUTHORITY: EXIT.usage,
  UNKNOWN_RELEASE: EXIT.notFound,
  VERIFICATION_RUNS: EXIT.refused,
}

/** What a person reads when a command fails: what, why, and what to do; without what a terminal obeys. */
export function describeError(error: unknown): string {
  return cleanLines(textOf(error), Infinity)
}

function textOf(error: unknown): string {
  if (error instanceof FileProblems) {
    const code = error.problems[0]?.code ?? 'PL-1001'
    return `${error.message.replaceAll(/^PL-/gm, 'error PL-')}\n  nothing was started; more: pilotlight help ${code}`
  }
  if (!(error instanceof Error)) return `error ${String(error)}`
  const lines = [`error ${error.message}`]
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause)
    lines.push(`  because: ${cause.message}`)
  if (error instanceof CommandError) lines.push(`  ${error.remedy}`)
  if (process.env.PILOTLIGHT_DEBUG !== undefined && error.stack) lines.push(error.stack)
  return lines.join('\n')
}
