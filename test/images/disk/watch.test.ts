// The program that restarts a machine whose disk is gone (images/live/root/usr/lib/pilotlight/disk-watch), on folders in the place of
// /sys, the console and the kernel's trigger: it must act when the disk is gone or cannot be written, and never otherwise.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'

const PROGRAM = join(import.meta.dirname, '../../../images/live/root/usr/lib/pilotlight/disk-watch')

type Case = {
  readonly title: string
  /** Its disk is there. */
  readonly disk?: false
  /** What the file that it writes leads to. */
  readonly writes?: string
  /** What the mirror says of the half on this disk. */
  readonly half?: string
  /** The message; absent: the machine goes on. */
  readonly expected?: RegExp
}

const CASES: readonly Case[] = [
  { title: 'a disk that is there' },
  { title: 'a full state partition', writes: '/dev/full' },
  { title: 'a mirror in order', half: 'in_sync' },
  {
    title: 'a disk that was taken away',
    disk: false,
    expected: /with vda3, from which this system runs, is gone/,
  },
  {
    title: 'a disk that fails',
    writes: '/proc/self/mem',
    expected: /beside vda3 cannot be written: Input\/output/,
  },
  { title: 'a half that failed', half: 'faulty', expected: /vda3.*its half of the mirror is faulty/ },
]

for (const { title, disk, writes, half, expected } of CASES) {
  t.test(`${title}: ${expected ? 'it says so, and restarts' : 'nothing happens'}`, async t => {
    const folder = t.testdir({ state: { pilotlight: {} }, watch: {}, console: '', trigger: '' })
    const at = (...path: string[]) => join(folder, ...path)
    if (disk !== false) mkdirSync(at('sys/class/block/vda3'), { recursive: true })
    if (writes !== undefined) symlinkSync(writes, at('state/pilotlight/.watch'))
    if (half !== undefined) {
      mkdirSync(at('sys/class/block/md127/md/dev-vda7'), { recursive: true })
      writeFileSync(at('sys/class/block/md127/md/dev-vda7/state'), `${half}\n`)
    }
    await run('mkfifo', [at('watch/never')], { limitSeconds: 10 })
    const child = spawn('bash', [PROGRAM, 'vda3', 'md127'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        PILOTLIGHT_WATCH: at('watch'),
        PILOTLIGHT_SYS: at('sys'),
        PILOTLIGHT_STATE: at('state'),
        PILOTLIGHT_CONSOLE: at('console'),
        PILOTLIGHT_TRIGGER: at('trigger'),
        PILOTLIGHT_WATCH_SECONDS: '1',
      },
    })
    const errors: Buffer[] = []
    child.stderr.on('data', (bytes: Buffer) => errors.push(bytes))
    const ended = once(child, 'exit')
    t.teardown(async () => {
      child.kill('SIGKILL')
      await ended
    })
    if (expected === undefined) {
      await new Promise(resolve => setTimeout(resolve, 4500)) // it has looked three times
      t.equal(child.exitCode, null, 'it still watches')
      t.equal(readFileSync(at('console'), 'utf8'), '')
      t.equal(readFileSync(at('trigger'), 'utf8'), '')
    } else {
      await waitUntil('the restart', { limitSeconds: 60, everyMs: 200 }, async () => {
        const text = readFileSync(at('trigger'), 'utf8')
        return text === 'b\n' ? { value: text } : { not: text }
      })
      t.match(readFileSync(at('console'), 'utf8'), expected)
    }
    t.equal(Buffer.concat(errors).toString(), '')
  })
}
