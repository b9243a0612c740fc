// What objects hold, written by anyone who may change them, on the terminal of who looks.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { describeError } from '#cli/exit.ts'
import { cellOf } from '#cli/table.ts'
import { pilotlight } from '../cli/pilotlight.ts'
import { testServer } from '../server/serving.ts'

t.setTimeout(120_000) // a busy machine takes its time

/** What a terminal obeys, or what turns the reading around. */
const UNSAFE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const ATTACK = 'a\u001B]0;owned\u0007\u009B2J\u007F\u202E\nforged'

const SCRIPT = '/usr/bin/script'
const skip = existsSync(SCRIPT) ? false : 'needs script (bsdutils), for a terminal'

t.test('on a terminal every verb shows objects with escapes', { skip, timeout: 120_000 }, async t => {
  const server = await testServer(t)
  const labels = { [`r${ATTACK}`]: ATTACK }
  const machine = { macs: ['52:54:00:20:00:aa'], role: 'compute', address: '10.20.0.77', labels }
  t.equal((await server.put('/v1/machines/m1', machine)).status, 201)
  const group = { profile: 'live', name: ATTACK, selector: { os: ATTACK }, metadata: { [ATTACK]: ATTACK } }
  t.equal((await server.put('/v1/groups/g1', group)).status, 201)
  const template = { method: 'PUT', body: `hello ${ATTACK}` }
  t.equal((await fetch(`${server.url}/v1/templates/generic/t1`, template)).status, 201)
  const main = join(import.meta.dirname, '../../cli/main.ts')
  for (const verb of [
    'get machines',
    'get groups',
    'get groups -o json',
    'get groups -o jsonl',
    'get groups -o yaml',
    'describe machine m1',
    'describe group g1',
    'describe group g1 --json',
    'describe template generic/t1',
    'history template generic/t1 --diff',
    'history group g1 --diff',
    'history group g1 --json',
  ]) {
    const command = `'${process.execPath}' '${main}' ${verb} --server ${server.url}`
    const { stdout } = await run(SCRIPT, ['-qec', command, '/dev/null'], { limitSeconds: 60 })
    const shown = stdout.replaceAll('\r\n', '\n')
    t.match(shown, /owned|m1/, verb)
    t.notMatch(shown, UNSAFE, verb)
  }
  const piped = await pilotlight(['describe', 'template', 'generic/t1', '--server', server.url])
  t.match(piped.out, `hello ${ATTACK}`, 'a pipe gets the bytes')
})

t.test('a cell is one line, and an error holds nothing that a terminal obeys', async t => {
  t.equal(cellOf(ATTACK), 'a\\x1b]0;owned\\x07\\x9b2J\\x7f\\u{202e}\\x0aforged')
  t.notMatch(cellOf({ [ATTACK]: [ATTACK] }), UNSAFE)
  t.notMatch(describeError(new Error(ATTACK, { cause: new Error(ATTACK) })), UNSAFE)
})
