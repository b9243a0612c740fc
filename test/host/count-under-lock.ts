// Adds to a number in a file, under a lock and slowly enough to be disturbed; every other time it leaves the lock as a
// process does that dies with it. Arguments are the directory and how often.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tryLock } from '#host/lock.ts'
import { sleep } from '#progress/wait.ts'

const [directory, rounds = '1'] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: count-under-lock.ts DIRECTORY [ROUNDS]')
const lock = join(directory, 'count.lock')
const count = join(directory, 'count')

for (let done = 0; done < Number(rounds);) {
  const taken = tryLock(lock)
  if (typeof taken !== 'function') {
    await sleep(1)
    continue
  }
  const before = numberIn(count)
  await sleep(2)
  writeFileSync(count, String(before + 1))
  done += 1
  if (done % 2 === 0) taken()
  else writeFileSync(lock, JSON.stringify({ pid: process.pid, startTicks: 1 })) // this number, in another life
}

function numberIn(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return 0
  }
}
