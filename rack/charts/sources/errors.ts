// The errors of chart sources.

import { PilotlightError } from '#model/error.ts'

/** A chart is not pinned, or what was fetched is not what was pinned. */
export class ChartLockError extends PilotlightError {
  readonly code = 'CHART_LOCK'
}

/** A source does not have a chart, or does not answer. */
export class ChartNotFound extends PilotlightError {
  readonly code = 'CHART_NOT_FOUND'
  constructor(chart: string, source: string, because: string) {
    super(`Chart ${chart} is not to be had from ${source}: ${because}`)
  }
}
