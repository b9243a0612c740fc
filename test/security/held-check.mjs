// Loaded before a server (`node --import`), and in each of its threads: puts the check of its store after its start, or the
// end of its start after the check. CHECK_AFTER is a file whose making lets the check begin; START_UNTIL_CHECKED is a named
// pipe that the start reads, and that is closed once the check is over.
import { closeSync, constants, existsSync, openSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const { CHECK_AFTER: gate, START_UNTIL_CHECKED: pipe } = process.env
if (isMainThread && pipe !== undefined) process.on('worker', worker => worker.once('exit', end))
if (!isMainThread && gate !== undefined) {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  for (let waits = 0; waits < 1200 && !existsSync(gate); waits += 1) Atomics.wait(cell, 0, 0, 50)
}

function end() {
  try {
    closeSync(openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK))
  } catch {
    setTimeout(end, 50).unref() // the start has not come to read it
  }
}
