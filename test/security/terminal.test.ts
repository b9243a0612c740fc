// What objects hold, written by anyone who may change them, on the terminal of who looks.

import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { run } from '#host/command.ts'
import { printLines } from '#cli/terminal/ask.ts'
import { EXIT } from '#cli/exit.ts'
import { describeError } from '#cli/error-report.ts'
import { keyTable } from '#cli/server/machines.ts'
import { requireProgress } from '#client/server.ts'
import { jsonText, yamlText } from '#cli/terminal/show.ts'
import { cellOf } from '#cli/terminal/table.ts'
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
  const main = join(import.meta.dirname, '../../cli/main.js')
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

/** A server that answers what a test says. */
async function hostileServer(t: Test, answer: (url: string) => { body: unknown; link?: string }) {
  const server = createServer((request, response) => {
    const { body, link } = answer(request.url ?? '')
    if (link !== undefined) response.setHeader('link', link)
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}

t.test('what a hostile server says holds nothing that a terminal obeys, in a pipe either', async t => {
  const key = {
    machine: ATTACK,
    fingerprint: ATTACK,
    address: ATTACK,
    mac: ATTACK,
    why: ATTACK,
    seen: ATTACK,
  }
  const url = await hostileServer(t, asked => {
    if (asked.startsWith('/v1/keys')) return { body: [key] }
    if (asked.startsWith('/v1/reopened')) return { body: [{ machine: ATTACK, who: ATTACK, until: ATTACK }] }
    if (asked.includes('/journal')) return { body: `${ATTACK}\n` }
    if (asked.startsWith('/v1/tokens')) return { body: [{ name: ATTACK, role: ATTACK, created: ATTACK }] }
    if (asked.startsWith('/v1/groups')) return { body: { items: [{ id: ATTACK, object: { id: ATTACK } }] } }
    return { body: [{ id: ATTACK, [ATTACK]: { [ATTACK]: [ATTACK, '\u{1D173}\u{E0001}'] } }] }
  })
  for (const verb of [
    'machines pending',
    'machines pending --json',
    'machines approve m --fingerprint x',
    'journal m',
    'tokens list',
    'tokens list --json',
    'get machines',
    'get machines -o json',
    'get machines -o jsonl',
    'get machines -o yaml',
    'get groups -o yaml',
  ]) {
    const { out, err } = await pilotlight([...verb.split(' '), '--server', url])
    t.match(out, /owned|undefined/, verb)
    t.notMatch(out + err, UNSAFE, verb)
    if (/json|-o yaml/.test(verb)) {
      const read = (verb.endsWith('yaml') ? parse(out) : JSON.parse(out)) as unknown
      t.match(
        JSON.stringify(read),
        JSON.stringify(ATTACK).slice(1, -1),
        `${verb} is another way to write the same`,
      )
    }
  }
  const said: string[] = []
  printLines(`${keyTable([key as never])}\n${ATTACK}`, { line: line => said.push(line) })
  t.equal(said.length, 5, 'heading, row, reason, and two lines of the text')
  t.notMatch(said.join('\n'), UNSAFE, 'the question of up')
})

t.test('YAML and JSON write what a terminal obeys as escapes of the same value', async t => {
  for (const text of ['a\u202Eb', '\u009B2J', '\u{E0001}', 'line\nline \u202E\n', '\uFEFF', '\uD800']) {
    const value = { [text]: [text, 'plain'], plain: 'a: b' }
    const [yaml, json] = [await yamlText(value), jsonText(value, 2)]
    t.notMatch(yaml + json, UNSAFE, JSON.stringify(text))
    t.strictSame(parse(yaml), value)
    t.strictSame(JSON.parse(json), value)
  }
  t.equal(
    await yamlText({ id: 'm', text: 'a\nb\n' }),
    'id: m\ntext: |\n  a\n  b\n',
    'what is safe stays as it was',
  )
})

t.test('a list whose next page never ends is ended', async t => {
  const loop = await hostileServer(t, () => ({
    body: [{ id: 'm' }],
    link: '</machines?after=m>; rel="next"',
  }))
  t.match(await pilotlight(['get', 'machines', '--server', loop]), {
    status: EXIT.unreachable,
    err: /names a page again that it gave before/,
  })
  const inventory = await hostileServer(t, () => ({ body: { items: [{ id: 'g', object: {} }], next: 'g' } }))
  t.match(await pilotlight(['get', 'groups', '--server', inventory]), {
    status: EXIT.unreachable,
    err: /names a page again that it gave before/,
  })
  const asked = new Set<string>()
  t.throws(() => {
    for (let page = 0; ; page += 1) requireProgress(asked, String(page))
  }, /has more than 10000 pages/)
})
