// The lock between processes: refused while its holder lives, taken over by one when it is gone.

import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { takeLock } from '#host/lock.ts'

async function temporary(t: { teardown(end: () => Promise<void>): unknown }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'lock-'))
  t.teardown(() => rm(directory, { recursive: true }))
  return directory
}

t.test('a lock is refused while its holder lives, with the holder, and free once it is released', async t => {
  const path = join(await temporary(t), 'one.lock')
  const unlock = takeLock(path, () => new Error('taken'))
  t.throws(() => takeLock(path, holder => new Error(`process ${holder} has it`)), {
    message: `process ${process.pid} has it`,
  })
  unlock()
  takeLock(path, () => new Error('taken'))()
})

t.test('a lock file from another program locks no one out, and nothing is left behind', async t => {
  const directory = await temporary(t)
  await writeFile(join(directory, 'one.lock'), '{"pid":')
  const unlock = takeLock(join(directory, 'one.lock'), () => new Error('taken'))
  t.strictSame(await readdir(directory), ['one.lock'])
  unlock()
  t.strictSame(await readdir(directory), [])
})

const worker = join(import.meta.dirname, 'count-under-lock.ts')

t.test('of many processes that find dead holders, one at a time takes over', async t => {
  const directory = await temporary(t)
  const rounds = 25
  const workers = Array.from({ length: 4 }, () => ended(directory, rounds))
  t.strictSame(await Promise.all(workers), [0, 0, 0, 0])
  t.equal(await readFile(join(directory, 'count'), 'utf8'), String(workers.length * rounds))
})

/** Counts in a separate process, and gives its status. */
function ended(directory: string, rounds: number): Promise<number | null> {
  const child = spawn(process.execPath, [worker, directory, String(rounds)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return new Promise(resolve => child.on('exit', resolve))
}
