// The check of a large store, in its own thread: reading every page takes seconds, in which machines must be able to boot.

import { statSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { BrokenState } from '../../errors.ts'
import { RESTORE } from '../../process/write-failure.ts'
import { CHECKED_BYTES } from './database.ts'

/** What the thread is given, and what it answers: undefined when every page is good. */
export type CheckTask = { readonly path: string }
export type CheckResult = { readonly damage: string | undefined }

/** A check under way. */
export type StoreCheck = {
  /** The damage (`BrokenState`), why it could not be checked (any other error), or undefined; never rejects. */
  readonly done: Promise<Error | undefined>
  /** Ends it before it is over. */
  close(): Promise<void>
}

/** Checks the store at `path` beside; one that is small was checked when it was opened, and is not again. */
export function checkStoreBeside(path: string): StoreCheck {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= CHECKED_BYTES) {
    return { done: Promise.resolve(undefined), close: async () => {} }
  }
  const task: CheckTask = { path }
  const worker = new Worker(new URL('check-thread.ts', import.meta.url), { workerData: task })
  worker.unref()
  const done = new Promise<Error | undefined>(resolve => {
    worker.once('message', ({ damage }: CheckResult) =>
      resolve(damage === undefined ? undefined : new BrokenState(path, `is damaged (${damage})`, RESTORE)),
    )
    worker.once('error', error => resolve(new Error(`${path} could not be checked`, { cause: error })))
    worker.once('exit', () => resolve(undefined))
  })
  return { done, close: async () => void (await worker.terminate()) }
}
