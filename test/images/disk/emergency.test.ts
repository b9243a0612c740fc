// How a boot that fails in the initrd ends (images/live/dracut/disk/emergency, deadline): the programs themselves, with what would
// restart this host in a file.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../../../images/live/dracut/disk')

/** A folder in the place of /usr/lib/pilotlight, with what ends a boot. */
function libraryIn(folder: string): void {
  writeFileSync(join(folder, 'lib/emergency'), `#!/bin/sh\necho restarted >> ${folder}/log\n`, {
    mode: 0o755,
  })
  const common = readFileSync(join(ROOT, '../../root/usr/lib/pilotlight/disk-common'), 'utf8')
  writeFileSync(join(folder, 'lib/disk-common'), common.replace('run=/run/pilotlight', `run=${folder}`))
}

/** Runs a program of the initrd after `functions`, which replace commands; gives how it restarted, and its console. */
async function run(folder: string, name: string, functions: string) {
  for (const file of ['cmdline', 'console', 'kmsg', 'trigger', 'sysrq', 'log'])
    writeFileSync(join(folder, file), '')
  const paths: Record<string, string> = {
    '/proc/cmdline': 'cmdline',
    '/dev/console': 'console',
    '/dev/kmsg': 'kmsg',
    '/proc/sysrq-trigger': 'trigger',
    '/proc/sys/kernel/sysrq': 'sysrq',
    '/run/pilotlight': '',
    '/usr/lib/pilotlight': 'lib',
  }
  let text = readFileSync(join(ROOT, name), 'utf8')
  for (const [path, file] of Object.entries(paths)) text = text.replaceAll(path, join(folder, file))
  if (/> \/(?:proc|dev\/(?:console|kmsg))|exec \/usr\/lib/.test(text))
    throw new Error('this host would be restarted')
  const stubs = `for each in reboot sync journalctl; do eval "$each() { echo $each \\$* >> ${folder}/log; }"; done; ${functions}`
  const child = spawn('sh', ['-c', `${stubs}\n${text}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  await once(child, 'exit')
  if (child.pid !== undefined) {
    try {
      process.kill(-child.pid, 'SIGKILL') // what hangs
    } catch {
      // nothing does
    }
  }
  return {
    trigger: readFileSync(join(folder, 'trigger'), 'utf8'),
    console: readFileSync(join(folder, 'console'), 'utf8'),
    log: readFileSync(join(folder, 'log'), 'utf8'),
  }
}

/** Shell: a command that does not end in time. */
const hang = (name: string) => `${name}() { echo ${name} >> $log; command sleep 60; }`
const FAST = 'sleep() { command sleep 0.01; }'

t.test('the last resort restarts the machine though journal, sync and reboot hang', async t => {
  const folder = t.testdir()
  const functions = `log=${folder}/log; ${FAST}; ${['journalctl', 'sync', 'reboot'].map(hang).join('; ')}`
  const began = performance.now()
  const { trigger, console, log } = await run(folder, 'emergency', functions)
  t.equal(trigger, 'b\n')
  t.equal(readFileSync(join(folder, 'sysrq'), 'utf8'), '1\n')
  t.match(console, /cannot go on.*restarts in 60 s/s)
  t.equal(log, 'journalctl\nsync\nreboot\n')
  t.ok(performance.now() - began < 30_000)
})

t.test('it goes on as soon as each has ended', async t => {
  let slept = 0
  const folder = t.testdir()
  const { log } = await run(
    folder,
    'emergency',
    `sleep() { echo "sleep $1" >> ${folder}/log; command sleep 0.2; }`,
  )
  for (const line of log.split('\n')) if (line === 'sleep 1') slept += 1
  t.ok(slept <= 6, `${slept} s`)
  t.match(log, 'sync\n')
  t.match(log, 'reboot -f\n')
})

t.test('an initrd that waits without end is restarted after twenty minutes', async t => {
  const folder = t.testdir({ lib: {} })
  libraryIn(folder)
  const count = `sleep() { echo "sleep $1" >> ${folder}/log; }`
  const { log } = await run(folder, 'deadline', count)
  t.equal(log.match(/^sleep 10$/gm)?.length, 120)
  t.match(log, /restarted\n$/)
  t.match(readFileSync(join(folder, 'kmsg'), 'utf8'), 'within 20 minutes')
})

t.test('what has a limit of its own does not count, and no longer than that', async t => {
  const folder = t.testdir({ lib: {} })
  libraryIn(folder)
  const held = (until: string) =>
    `slept=0; sleep() { slept=$((slept + 1)); echo sleep >> ${folder}/log; [ $slept != 500 ] || echo ${until} > ${folder}/checking; }`
  const longer = `echo $(($(cut -d . -f 1 /proc/uptime) + 9999)) > ${folder}/checking`
  const waited = await run(folder, 'deadline', `${longer}; ${held('0')}`)
  t.equal(waited.log.match(/^sleep$/gm)?.length, 499 + 120, 'its time was over')
  const empty = await run(folder, 'deadline', `${longer}; ${held("''")}`)
  t.equal(empty.log.match(/^sleep$/gm)?.length, 499 + 120, 'one that was cut off says nothing')
})
