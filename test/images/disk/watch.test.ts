// The program that restarts a machine whose disk is gone (images/live/root/usr/lib/pilotlight/disk-watch), on folders in the place of
// /sys, the console and the kernel's trigger: it must act when the disk is gone or cannot be written, and never otherwise.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'

const PROGRAM = join(import.meta.dirname, '../../../images/live/root/usr/lib/pilotlight/disk-watch')

type Case = {
  readonly title: string
  /** Its disk is there. */
  readonly disk?: false
  /** What the file that it writes leads to. */
  readonly writes?: string
  /** It hangs: the write does not return. */
  readonly hangs?: true
  /** What the mirror says of the half on this disk, and of the other one. */
  readonly half?: string
  readonly otherHalf?: string
  /** Starts before this one that did not last. */
  readonly starts?: number
  /** What is kept of halves that failed. */
  readonly kicked?: string
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
  {
    title: 'a disk that hangs without an error',
    hangs: true,
    expected: /beside vda3 has not taken a write for 2 s: its disk hangs/,
  },
  {
    title: 'a half that failed',
    half: 'faulty',
    kicked: 'id-of-vda7\n',
    expected: /vda3.*its half of the mirror is faulty/,
  },
]

for (const row of CASES) {
  const { title, kicked = '', expected } = row
  t.test(`${title}: ${expected ? 'it says so, and restarts' : 'nothing happens'}`, async t => {
    const { at, child, errors } = await watch(t, row)
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
    const file = at('state/pilotlight/kicked')
    t.equal(existsSync(file) ? readFileSync(file, 'utf8') : '', kicked)
    t.equal(errors(), '')
  })
}

t.test('the other half that failed is kept and said once, and nothing restarts', async t => {
  const { at, child, errors } = await watch(t, { half: 'in_sync', otherHalf: 'faulty' })
  await new Promise(resolve => setTimeout(resolve, 5500))
  t.equal(child.exitCode, null)
  t.equal(readFileSync(at('state/pilotlight/kicked'), 'utf8'), 'id-of-vdb7\n')
  t.match(readFileSync(at('console'), 'utf8'), /^pilotlight: the disk with vdb7 failed to write, .*\n$/)
  t.equal(readFileSync(at('trigger'), 'utf8'), '')
  t.equal(errors(), '')
})

t.test('the third restart in a row is as the first one', async t => {
  const third = await watch(t, { half: 'faulty', starts: 2 })
  await waitUntil('the restart', { limitSeconds: 60, everyMs: 200 }, async () => {
    const text = readFileSync(third.at('trigger'), 'utf8')
    return text === 'b\n' ? { value: text } : { not: text }
  })
  t.equal(readFileSync(third.at('state/pilotlight/.starts'), 'utf8'), '3\n')
  t.notMatch(readFileSync(third.at('console'), 'utf8'), 'in a row')
})

t.test('after three restarts that did not help it restarts once an hour, and says so', async t => {
  const { at, child, errors } = await watch(t, { half: 'faulty', starts: 3 })
  await new Promise(resolve => setTimeout(resolve, 9000)) // the third one had restarted by then
  t.equal(child.exitCode, null)
  t.equal(readFileSync(at('trigger'), 'utf8'), '')
  const said = readFileSync(at('console'), 'utf8').split('\n')
  t.equal(said.filter(line => line.includes('3 starts in a row did not last for 60 minutes')).length, 1)
  t.equal(errors(), '')
})

t.test('a start that lasts long enough is counted no more', async t => {
  const { at } = await watch(t, { starts: 2 }, { PILOTLIGHT_CALM_SECONDS: '2' })
  await waitUntil('the count', { limitSeconds: 30, everyMs: 200 }, async () => {
    const text = readFileSync(at('state/pilotlight/.starts'), 'utf8')
    return text === '0\n' ? { value: text } : { not: text }
  })
  t.equal(readFileSync(at('trigger'), 'utf8'), '')
})

for (const mirror of [undefined, 'one half', 'both halves'] as const)
  t.test(
    `one that is slow does not hang: ${mirror === 'one half' ? 'but a mirror does if one half does' : (mirror ?? 'a disk')}`,
    async t => {
      const halves = ['vda7', 'vdb7']
      const { at, child, errors } = await watch(t, { hangs: true }, {}, mirror ? 'md127' : '')
      const folder = (name: string) => at('sys/class/block', mirror ? 'md127/slaves' : '', name)
      for (const name of mirror ? halves : ['vda7']) mkdirSync(folder(name), { recursive: true })
      let writes = 0
      const write = (name: string) => {
        const file = join(folder(name), 'stat')
        writeFileSync(`${file}.new`, `  7 0 0 0  ${writes}  0 0 0  0 0 0\n`)
        renameSync(`${file}.new`, file)
      }
      const finish = () => {
        writes += 5
        write('vda7')
        if (mirror === 'both halves') write('vdb7')
      }
      if (mirror) write('vdb7')
      finish()
      const timer = setInterval(finish, 200)
      t.teardown(() => clearInterval(timer))
      if (mirror !== 'one half') {
        await new Promise(resolve => setTimeout(resolve, 9000)) // one that hangs has restarted by then
        t.equal(child.exitCode, null, 'it still watches')
        t.equal(readFileSync(at('console'), 'utf8') + readFileSync(at('trigger'), 'utf8'), '')
        clearInterval(timer)
      }
      await waitUntil('the restart', { limitSeconds: 60, everyMs: 200 }, async () => {
        const text = readFileSync(at('trigger'), 'utf8')
        return text === 'b\n' ? { value: text } : { not: text }
      })
      t.match(readFileSync(at('console'), 'utf8'), /has not taken a write for 2 s: its disk hangs/)
      t.equal(errors(), '')
    },
  )

/** Watches a disk that is as the row says. */
async function watch(
  t: Test,
  { disk, writes, hangs, half, otherHalf, starts }: Omit<Case, 'title'>,
  settings: NodeJS.ProcessEnv = {},
  array = 'md127',
) {
  const folder = t.testdir({
    state: { pilotlight: starts === undefined ? {} : { '.starts': `${starts}\n` } },
    watch: { halves: 'vda7 id-of-vda7\nvdb7 id-of-vdb7\n' },
    console: '',
    trigger: '',
  })
  const at = (...path: string[]) => join(folder, ...path)
  if (disk !== false) mkdirSync(at('sys/class/block/vda3'), { recursive: true })
  if (writes !== undefined) symlinkSync(writes, at('state/pilotlight/.watch'))
  if (hangs) await run('mkfifo', [at('state/pilotlight/.watch')], { limitSeconds: 10 }) // nothing reads it
  for (const [name, said] of Object.entries({ vda7: half, vdb7: otherHalf })) {
    if (said === undefined) continue
    mkdirSync(at('sys/class/block', name), { recursive: true })
    mkdirSync(at('sys/class/block/md127/md', `dev-${name}`), { recursive: true })
    writeFileSync(at('sys/class/block/md127/md', `dev-${name}`, 'state'), `${said}\n`)
  }
  await run('mkfifo', [at('watch/never')], { limitSeconds: 10 })
  const child = spawn('bash', [PROGRAM, 'vda3', array], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      PILOTLIGHT_WATCH: at('watch'),
      PILOTLIGHT_SYS: at('sys'),
      PILOTLIGHT_STATE: at('state'),
      PILOTLIGHT_CONSOLE: at('console'),
      PILOTLIGHT_TRIGGER: at('trigger'),
      PILOTLIGHT_WATCH_SECONDS: '1',
      PILOTLIGHT_HANG_SECONDS: '2',
      ...settings,
    },
  })
  const errors: Buffer[] = []
  child.stderr.on('data', (bytes: Buffer) => errors.push(bytes))
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { at, child, errors: () => Buffer.concat(errors).toString() }
}
