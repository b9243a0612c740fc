// Every error that the chart stage gives on purpose.

import { PilotlightError } from '#model/error.ts'

/** A plan that cannot be run: an unknown need, a circle, values for a release that is not in it. */
export class ChartPlanError extends PilotlightError {
  readonly code = 'CHART_PLAN'
  /** Its place in the site file, if it has one: keys from the top. */
  readonly place?: readonly (string | number)[]
  /** What is wrong at that place: the key itself, or what is written below it. */
  readonly mistake: 'key' | 'value'
  constructor(
    message: string,
    options: ErrorOptions & Partial<Pick<ChartPlanError, 'place' | 'mistake'>> = {},
  ) {
    super(message, options)
    if (options.place !== undefined) this.place = options.place
    this.mistake = options.mistake ?? 'key'
  }
}

/** A chart is not pinned, or what was fetched is not what was pinned. */
export class ChartLockError extends PilotlightError {
  readonly code = 'CHART_LOCK'
}

/** A file of a chart, or of values over it, that Helm would refuse; the message names file, line and column. */
export class ChartFileError extends PilotlightError {
  readonly code = 'CHART_FILE'
}

/** A source does not have a chart, or does not answer. */
export class ChartNotFound extends PilotlightError {
  readonly code = 'CHART_NOT_FOUND'
  constructor(chart: string, source: string, because: string, options: { readonly remedy?: string } = {}) {
    super(`Chart ${chart} is not available from ${source}: ${because}`, options)
  }
}

/** A promise of a release that will not be kept by waiting longer. */
export class PromiseBroken extends PilotlightError {
  readonly code = 'PROMISE_BROKEN'
  constructor(release: string, what: string, remedy: string) {
    super(`release ${release}: ${what}\n  ${remedy}`)
  }
}

/** The chart stage ended with releases that are not up; the message has each one's cause. */
export class ChartsFailed extends PilotlightError {
  readonly code = 'CHARTS_FAILED'
  constructor(causes: readonly { release: string; message: string }[], blocked: readonly string[]) {
    const lines = causes.map(({ message }) => message.replaceAll('\n', '\n  '))
    if (blocked.length > 0) lines.push(`not awaited, because they need these: ${blocked.join(', ')}`)
    super(`OpenStack is not up.\n  ${lines.join('\n  ')}\n  Run the same command again to go on from here.`)
  }
}

/** One reason why a plan would not come up, for a person. */
export type PreflightProblem = { readonly release: string; readonly what: string; readonly remedy: string }

/** A plan that would not come up in this cluster; nothing was installed. */
export class PreflightFailed extends PilotlightError {
  readonly code = 'PREFLIGHT_FAILED'
  readonly problems: readonly PreflightProblem[]
  constructor(problems: readonly PreflightProblem[]) {
    super(problems.map(({ release, what, remedy }) => `release ${release}: ${what}\n  ${remedy}`).join('\n'))
    this.problems = problems
  }
}

/** Something would be lost by removing it; nothing was touched. */
export class RemovalRefused extends PilotlightError {
  readonly code = 'REMOVAL_REFUSED'
  constructor(what: string, remedy: string) {
    super(`${what}\n  ${remedy}`)
  }
}

/** Another process changes the same release. */
export class ChartsLocked extends PilotlightError {
  readonly code = 'CHARTS_LOCKED'
  constructor(release: string, pid: number | undefined, file: string) {
    super(
      `Process ${pid ?? 'unknown'} is at work on release ${release} already (${file}). Wait for it, or end it.`,
    )
  }
}
