// The asset store in a process that is killed while it writes.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AssetStore, type Checked } from '#server/assets/asset-store.ts'
import { sleep } from '#progress/wait.ts'
import { contentOf, NAMES } from './contents.ts'

const KILLS = 20

t.test(
  'kill -9 at any time loses nothing that was acknowledged, and leaves nothing half',
  { timeout: 120_000 },
  async t => {
    const root = join(t.testdir(), 'assets')
    mkdirSync(root)
    const store = new AssetStore(root)
    let last = -1
    for (let kill = 0; kill < KILLS; kill += 1) {
      const script = join(import.meta.dirname, 'add-for-ever.ts')
      const child = spawn(process.execPath, [script, root, String(last + 1)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let said = ''
      child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()))
      const ended = once(child, 'close')
      await Promise.race([once(child.stdout, 'data'), ended])
      await sleep(Math.random() * 60)
      child.kill('SIGKILL')
      await ended
      last = Number(said.trimEnd().split('\n').at(-1) || last)

      for (const [at, name] of NAMES.entries()) {
        const acknowledged = last - ((((last - at) % NAMES.length) + NAMES.length) % NAMES.length)
        const next = last + 1
        const bytes = readFileOrNone(join(root, name))
        const may = [acknowledged, ...(next % NAMES.length === at ? [next] : [])].filter(turn => turn >= 0)
        if (acknowledged < 0 && bytes === undefined) continue // not promised yet
        if (!may.some(turn => bytes?.equals(contentOf(turn))))
          t.fail(
            `${name} is not of turn ${may.join(' or ')}, but ${bytes?.toString('utf8', 0, 12) ?? 'absent'}`,
          )
      }
      const checked = await lookedAt(store)
      if (checked.some(({ sha256, found }) => sha256 !== found)) t.fail('verify found bad bytes')
    }
    t.ok(last > KILLS, `${last + 1} adds were acknowledged in ${KILLS} lives`)
    const { leftovers } = await store.gc()
    t.comment(`${leftovers} leftovers`)
    t.strictSame(readdirSync(join(root, '.pilotlight/incoming')), [])
    const listed = await store.list()
    t.strictSame(
      listed.map(({ name }) => name),
      NAMES,
    )
    t.ok(listed.every(({ sha256 }) => sha256 !== undefined))
    const kept = await lookedAt(store)
    t.equal(kept.length, new Set(listed.map(({ sha256 }) => sha256)).size, 'all kept bytes have a name')
  },
)

function readFileOrNone(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

async function lookedAt(one: AssetStore): Promise<Checked[]> {
  const all: Checked[] = []
  for await (const checked of one.verify()) all.push(checked)
  return all
}
