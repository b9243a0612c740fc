// The thread of check.ts: reads every page of the store, and answers once.

import { parentPort, workerData } from 'node:worker_threads'
import { openDatabase } from '#host/sqlite.ts'
import { BrokenState } from '../../errors.ts'
import { checkPages } from './database.ts'
import type { CheckResult, CheckTask } from './check.ts'

const { path } = workerData as CheckTask // of check.ts

parentPort?.postMessage(check(), [])

function check(): CheckResult {
  const sqlite = openDatabase(path, 5000, { readonly: true })
  try {
    checkPages(sqlite, path)
    return { damage: undefined }
  } catch (error) {
    if (!(error instanceof BrokenState)) throw error
    return { damage: /\((.*)\)/s.exec(error.message)?.[1] ?? error.message }
  } finally {
    sqlite.close()
  }
}
