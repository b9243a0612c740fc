// The pause program as process 1 of a PID namespace: it reaps orphans, and exits on a signal.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import t from 'tap'

import { findArtefact } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { pauseRecipe } from '#images/container-images.ts'
import { waitUntil } from '#progress/wait.ts'

const pause = await findArtefact(pauseRecipe)
const skip =
  (process.getuid?.() !== 0 && 'needs root for a PID namespace') ||
  (pause === undefined && 'pause is not built here (pilotlight images build)')

t.test('orphans are reaped, and SIGTERM ends it', { skip }, async t => {
  if (pause === undefined) return
  const outer = spawn('unshare', ['--pid', '--fork', '--kill-child', join(pause.path, 'pause')])
  const ended = once(outer, 'exit')
  t.teardown(() => outer.kill('SIGKILL'))
  const inner = await waitUntil('pause to start', { limitSeconds: 10, everyMs: 20 }, async () => {
    const [child] = await childrenOf(outer.pid ?? 0)
    const name = child === undefined ? '' : (await readFile(`/proc/${child}/comm`, 'utf8')).trim()
    return child !== undefined && name === 'pause' ? { value: child } : { not: `its name is "${name}"` }
  })

  // The shell ends at once and leaves three processes behind, which then belong to process 1 of the namespace.
  const orphans = 'for i in 1 2 3; do sleep 1 < /dev/null > /dev/null 2>&1 & done'
  await run('nsenter', [`--target=${inner}`, '--pid', 'sh', '-c', orphans], { limitSeconds: 10 })
  t.equal((await childrenOf(inner)).length, 3)
  await waitUntil('orphans to be reaped', { limitSeconds: 10, everyMs: 50 }, async () => {
    const left = await childrenOf(inner)
    return left.length === 0 ? { value: true } : { not: `${left.length} are left` }
  })

  process.kill(inner, 'SIGTERM')
  const [status] = (await ended) as [number | null]
  t.equal(status, 0)
})

/** The children of a process, dead or alive. */
async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`)
  const lists = await Promise.all(
    threads.map(thread => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8')),
  )
  return lists.flatMap(list =>
    list
      .split(' ')
      .filter(word => word.trim() !== '')
      .map(Number),
  )
}
