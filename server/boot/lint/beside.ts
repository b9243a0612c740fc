// Runs the linter in a thread of a running server, so that machines boot meanwhile, and only when someone asks for what it
// finds.

import { Worker } from 'node:worker_threads'
import type { LintFinding } from '#model/finding.ts'
import { messageOf } from '#progress/wait.ts'

/** What the thread is given, and what it answers. */
export type LintTask = { readonly dataPath: string; readonly assetsPath: string; readonly most: number }
export type LintResult = { readonly findings: readonly LintFinding[]; readonly more: number }

/** Findings that are kept of one run. */
const MOST = 500

/** What a run may take: seconds, and megabytes. */
const LIMIT_SECONDS = 60
const MEMORY_MB = 256

/** After a run, none begins for this many times its length: the thread has a third of a processor at most. */
const REST = 2

/** Milliseconds after which findings are old although no file changed: assets are not watched. */
const OLD_MS = 60_000

/** What `pilotlight lint` finds in the data directory of a server. */
export class LintBeside {
  readonly #task: LintTask
  readonly #version: () => number
  #last:
    | { readonly version: number; readonly result: LintResult; readonly at: number; readonly nextAt: number }
    | undefined
  #running: Promise<LintResult> | undefined
  /** The last failure, which is given until another run may begin. */
  #failure: { readonly error: Error; readonly until: number } | undefined

  /**
   * @param assetsPath undefined where the server has no assets: they are not looked for then
   * @param version changes with the data directory
   */
  constructor(dataPath: string, assetsPath: string | undefined, version: () => number) {
    this.#task = { dataPath, assetsPath: assetsPath ?? '', most: MOST }
    this.#version = version
  }

  /**
   * What is found now, at most 500 and how many more there are; of shortly before where it was asked just now.
   *
   * @throws {Error} when the thread failed, took too long or too much memory
   */
  found(): Promise<LintResult> {
    const now = performance.now()
    const last = this.#last
    if (this.#running !== undefined) return this.#running
    const isSame = last !== undefined && last.version === this.#version() && now - last.at < OLD_MS
    if (last !== undefined && (isSame || now < last.nextAt)) return Promise.resolve(last.result)
    if (this.#failure !== undefined && now < this.#failure.until) return Promise.reject(this.#failure.error)
    const version = this.#version()
    this.#running = inThread(this.#task)
      .then(result => {
        const at = performance.now()
        this.#last = { version, result, at, nextAt: at + (at - now) * REST }
        return result
      })
      .catch((error: Error) => {
        const at = performance.now()
        this.#failure = { error, until: at + (at - now) * REST }
        throw error
      })
      .finally(() => (this.#running = undefined))
    return this.#running
  }
}

function inThread(task: LintTask): Promise<LintResult> {
  const worker = new Worker(new URL('beside-thread.ts', import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
  })
  worker.unref()
  return new Promise<LintResult>((resolve, reject) => {
    const failed = (why: string) => reject(new Error(`the data directory was not looked at: ${why}`))
    const limit = setTimeout(() => {
      failed(`it takes more than ${LIMIT_SECONDS} s`)
      void worker.terminate()
    }, LIMIT_SECONDS * 1000).unref()
    worker.once('message', resolve)
    worker.once('error', error => failed(messageOf(error)))
    worker.once('exit', () => {
      clearTimeout(limit)
      failed('its thread ended')
    })
  })
}
