// What long work reports while it runs: a tree of stages, each with a time and what it waits for.
// Pure data and events; progress/terminal.ts draws them, so images, lab, cluster and charts can all report
// without knowing who looks.

/** One node of the tree. A stage runs from its creation until `done`, `skipped` or `failed`. */
export interface Stage {
  /** Starts a stage below this one. */
  child(title: string): Stage
  /** Says what the stage waits for now, and the limit in seconds after which it gives up. */
  waiting(reason: string, limitSeconds?: number): void
  /** Ends the stage well; the note is kept beside its time, for example `12 files, 4.1 MB`. */
  done(note?: string): void
  /** Ends the stage because nothing had to be done, for example `cached`. */
  skipped(note: string): void
  /** Ends the stage with the error's message. */
  failed(error: unknown): void
}

/** Runs `work` in a stage below `parent`, and ends the stage however the work ends. */
export async function inStage<T>(
  parent: Stage,
  title: string,
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  const stage = parent.child(title)
  try {
    const result = await work(stage)
    stage.done()
    return result
  } catch (error) {
    stage.failed(error)
    throw error
  }
}

/** A stage that reports to no one: for calls from tests and from code without a watcher. */
export const silentStage: Stage = {
  child: () => silentStage,
  waiting() {},
  done() {},
  skipped() {},
  failed() {},
}
