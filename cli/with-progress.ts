// Runs a long verb with its stages drawn on standard error, and ends it well on Ctrl-C.

import { RELAY_VARIABLE } from '#progress/relay.ts'
import type { Stage } from '#progress/stage.ts'
import { drawProgress, summaryTable } from '#progress/terminal.ts'
import type { Drawing } from '#progress/terminal.ts'

/** What a long verb is handed. */
export type LongWork = {
  readonly stage: Stage
  /** Aborted by Ctrl-C or SIGTERM; a second Ctrl-C ends the process at once. */
  readonly signal: AbortSignal
  readonly drawing: Drawing
  /** Stops drawing and prints the table of stages with their times. */
  readonly summary: () => void
}

/** Runs `work`; whatever happens, the last state of its stages stays on the screen. */
export async function withProgress<T>(work: (handed: LongWork) => Promise<T>): Promise<T> {
  const drawing = drawProgress()
  const interrupted = new AbortController()
  const interrupt = (signal: NodeJS.Signals) => {
    if (interrupted.signal.aborted) process.exit(130)
    drawing.line(`${signal}: stopping; once more ends at once`)
    interrupted.abort(new DOMException('interrupted', 'AbortError'))
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  try {
    const summary = () => {
      drawing.close()
      if (process.env[RELAY_VARIABLE] === undefined)
        process.stderr.write(`\n${summaryTable(drawing.tree)}\n\n`)
    }
    return await work({ stage: drawing.root, signal: interrupted.signal, drawing, summary })
  } finally {
    drawing.close()
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}
