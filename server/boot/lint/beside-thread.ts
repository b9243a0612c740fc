// The thread of beside.ts: examines the data directory, and answers once.

import { parentPort, workerData } from 'node:worker_threads'
import type { LintResult, LintTask } from './beside.ts'
import { examineDirectory } from './directory.ts'

const { dataPath, assetsPath, most } = workerData as LintTask // of beside.ts

const { findings } = examineDirectory(dataPath, assetsPath)
const result: LintResult = { findings: findings.slice(0, most), more: Math.max(0, findings.length - most) }
parentPort?.postMessage(result, [])
