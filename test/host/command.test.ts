// Commands of the host: their output, their limits, and what is said when they fail.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { commandPath, run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'

t.test('a command gives what it printed, and reads what it is given', async t => {
  t.equal((await run('cat', [], { limitSeconds: 5, input: 'hello' })).stdout, 'hello')
})

t.test('a failure shows the command, its status, the end of its output and the log', async t => {
  const log = join(t.testdir(), 'deep', 'x.log')
  const failing = run('sh', ['-c', 'echo one >&2; exit 3'], { limitSeconds: 5, log })
  await t.rejects(failing, {
    code: 'COMMAND_FAILED',
    status: 3,
    message: /exit 3\n {2}one\n {2}all of it: .*x\.log/,
  })
  t.match(readFileSync(log, 'utf8'), /\$ sh -c .*\none/s)
})

t.test('a command that is not there is a failure that names it', async t => {
  await t.rejects(run('no-such-command', [], { limitSeconds: 5 }), { message: /no-such-command: .*ENOENT/ })
})

t.test('a command that runs over its limit is ended', async t => {
  await t.rejects(run('sleep', ['60'], { limitSeconds: 0.1 }), { message: /not done after 0\.1 s/ })
})

t.test('a command that says what it does may take long, and one that falls silent is ended', async t => {
  const slow = await run('sh', ['-c', 'for i in 1 2 3 4; do echo $i; sleep 0.2; done'], {
    silenceSeconds: 0.6,
  })
  t.equal(slow.stdout, '1\n2\n3\n4\n')
  const silent = run('sh', ['-c', 'echo one; sleep 60'], { silenceSeconds: 0.3 })
  await t.rejects(silent, { message: /no output for 0\.3 s/ })
})

t.test('an aborted signal ends the command', async t => {
  const stop = new AbortController()
  const sleeping = run('sleep', ['60'], { limitSeconds: 60, signal: stop.signal })
  stop.abort()
  await t.rejects(sleeping, { code: 'COMMAND_FAILED', message: /interrupted/ })
})

t.test('the limit ends what the command started, and does not wait for its outputs', async t => {
  const file = join(t.testdir(), 'pid')
  const began = performance.now()
  const running = run('sh', ['-c', `sleep 60 & echo $! > ${file}; wait`], { limitSeconds: 0.5 })
  await t.rejects(running, { message: /not done after 0\.5 s/ })
  t.ok(performance.now() - began < 10_000)
  const pid = readFileSync(file, 'utf8').trim()
  await waitUntil('the end of what it started', { limitSeconds: 5, everyMs: 20 }, async () =>
    existsSync(`/proc/${pid}/fd`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
      ? { not: 'it runs' }
      : { value: true },
  )
})

t.test('one who left the group and holds the outputs cannot hold the caller', async t => {
  const file = join(t.testdir(), 'pid')
  const line = `setsid sh -c 'echo $$ > ${file}; exec sleep 60' & wait`
  const began = performance.now()
  await t.rejects(run('sh', ['-c', line], { limitSeconds: 0.5 }), { message: /not done after 0\.5 s/ })
  t.ok(performance.now() - began < 15_000)
  process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')
})

t.test('the log is whole when the command has ended', async t => {
  const log = join(t.testdir(), 'x.log')
  await run('seq', ['50000'], { limitSeconds: 20, log })
  t.match(readFileSync(log, 'utf8'), /\n50000\n$/)
})

t.test("commands see the administrator's folders, after those of the PATH", async t => {
  t.equal(commandPath('/opt/bin:/sbin'), '/opt/bin:/sbin:/usr/local/sbin:/usr/sbin')
  const { stdout } = await run('sh', ['-c', 'echo $PATH'], { limitSeconds: 5 })
  t.match(stdout, /\/usr\/sbin/)
})
