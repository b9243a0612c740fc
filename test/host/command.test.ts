// Commands of the host: their output, their limits, and what is said when they fail.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'

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

t.test('an aborted signal ends the command', async t => {
  const stop = new AbortController()
  const sleeping = run('sleep', ['60'], { limitSeconds: 60, signal: stop.signal })
  stop.abort()
  await t.rejects(sleeping, { code: 'COMMAND_FAILED', message: /interrupted/ })
})
