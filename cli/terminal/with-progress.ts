// Runs a long verb with its stages drawn on standard error, and ends it well on Ctrl-C.

import { RELAY_VARIABLE } from '#progress/relay.ts'
import type { Stage } from '#progress/stage.ts'
import { drawProgress, summaryTable, type Drawing } from '#progress/terminal.ts'
import { EXIT } from '../exit.ts'

/** What a long verb is handed. */
export type LongWork = {
  readonly stage: Stage
  /** Aborted by Ctrl-C, SIGTERM or SIGHUP (the terminal was closed); a second one ends the process at once. */
  readonly signal: AbortSignal
  /** Keeps what a person must know when a second Ctrl-C leaves everything as it is: what stays, and its end. */
  readonly wouldLeave: (text: string | undefined) => void
  readonly drawing: Drawing
  /** Stops drawing and prints the table of stages with their times. */
  readonly summary: () => void
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Runs `work`; whatever happens, the last state of its stages stays on the screen.
 *
 * @param goesOn what an interruption does not end, for the person who interrupts
 * @throws what `work` throws; after an interruption its reason, so that the exit status says so whatever broke off
 */
export async function withProgress<T>(work: (handed: LongWork) => Promise<T>, goesOn?: string): Promise<T> {
  const drawing = drawProgress()
  const interrupted = new AbortController()
  let left: string | undefined
  const interrupt = (signal: NodeJS.Signals) => {
    if (signal === 'SIGHUP') ignoreLostTerminal()
    if (interrupted.signal.aborted) {
      drawing.close()
      if (left !== undefined) process.stderr.write(`${left}\n`)
      process.exit(EXIT.interrupted)
    }
    const others = goesOn === undefined ? '' : ` ${goesOn}`
    const again = 'The same command continues where this one stopped.'
    drawing.line(`${signal}: stopping; once more ends at once.${others} ${again}`)
    interrupted.abort(new DOMException('interrupted', 'AbortError'))
  }
  for (const signal of SIGNALS) process.on(signal, interrupt)
  try {
    const summary = () => {
      drawing.close()
      if (process.env[RELAY_VARIABLE] === undefined)
        process.stderr.write(`\n${summaryTable(drawing.tree)}\n\n`)
    }
    const wouldLeave = (text: string | undefined) => {
      left = text
    }
    return await work({ stage: drawing.root, signal: interrupted.signal, wouldLeave, drawing, summary })
  } catch (error) {
    interrupted.signal.throwIfAborted()
    throw error
  } finally {
    drawing.close()
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
}

/** The reader of the output is gone, which must not keep the work from ending well. */
function ignoreLostTerminal(): void {
  process.stderr.on('error', () => {})
}
