// Bodies for the agents' side from senders without a token: unfinished ones, and ones that are costly to parse.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { moveToThisHost, site, testServer } from '../server/serving.ts'
import { childServer } from './child-server.ts'

t.setTimeout(120_000) // a busy machine takes its time

/** One byte less than 1 MiB, which is what a body may have where nothing else is said. */
const BODY_BYTES = (1 << 20) - 1
const ROUTES = ['enroll', 'bundle', 'renew', 'report', 'nothing']

/** A server, the routes of its agents, and the machine that asks. */
async function attacked(t: Test) {
  const { child, said } = await childServer(t, { statePath: join(t.testdir(), 'state') })
  const serving = said.find(line => line.includes('"text":"serving"')) ?? '{}'
  const { agent } = JSON.parse(serving) as { agent: string }
  const proc = (file: string) => readFileSync(`/proc/${child.pid}/${file}`, 'utf8')
  return {
    port: Number(new URL(agent).port),
    residentBytes: () => Number(/^VmRSS:\s+(\d+) kB/m.exec(proc('status'))?.[1]) * 1024,
    /** Processor time so far; a tick of the kernel is 10 ms. */
    seconds: () => {
      const fields = proc('stat').split(') ')[1]?.split(' ') ?? []
      return (Number(fields[11]) + Number(fields[12])) / 100
    },
  }
}

const headers = (route: string, bytes: number, token = 'x'.repeat(43)) =>
  `POST /agent/v1/${route} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
  `Content-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`

async function open(port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  socket.on('error', () => {}) // reset is a way to refuse
  await once(socket, 'secureConnect')
  return socket
}

/** What the server says until it closes the connection, which is soon. */
async function answerOf(socket: TLSSocket): Promise<string> {
  let said = ''
  socket.on('data', bytes => (said += String(bytes)))
  await waitUntil('the server closes', { limitSeconds: 20, everyMs: 10 }, async () =>
    socket.closed ? { value: true } : { not: `open, after ${said}` },
  )
  return said
}

t.test('asks for a token before it reads anything of a body, and closes the connection', async t => {
  const { port } = await attacked(t)
  for (const route of ROUTES) {
    const socket = await open(port)
    socket.write(headers(route, BODY_BYTES))
    const began = performance.now()
    t.match(await answerOf(socket), route === 'nothing' ? /^HTTP\/1\.1 404 / : /^HTTP\/1\.1 401 /, route)
    t.ok(performance.now() - began < 10_000, `within ${Math.round(performance.now() - began)} ms`)
  }
})

t.test('unfinished bodies without a token take no memory', async t => {
  const { port, residentBytes } = await attacked(t)
  const body = Buffer.alloc(BODY_BYTES - 10, '[1,')
  const send = async (at: number) => {
    const socket = await open(port)
    socket.write(headers(ROUTES[at % ROUTES.length] ?? '', BODY_BYTES))
    socket.write(body)
    await new Promise(resolve => socket.once('close', resolve).once('drain', resolve))
    return socket
  }
  ;(await send(0)).destroy()
  const before = residentBytes()
  const sockets: TLSSocket[] = []
  for (let at = 0; at < 200; at += 1) sockets.push(await send(at))
  const grown = residentBytes() - before
  t.ok(grown < 100 << 20, `${Math.round(grown / 2 ** 20)} MiB more for 200 MB`)
  for (const socket of sockets) socket.destroy()
})

t.test('deep bodies without a token take no processor time', async t => {
  const { port, seconds } = await attacked(t)
  const deep = '['.repeat(500_000) + ']'.repeat(500_000)
  const ask = async () => {
    const socket = await open(port)
    socket.write(headers('bundle', deep.length) + deep)
    return answerOf(socket)
  }
  await ask()
  const before = seconds()
  for (let at = 0; at < 20; at += 1) t.notMatch(await ask(), /^HTTP\/1\.1 [25]/)
  const taken = seconds() - before
  t.ok(taken < 2, `${taken.toFixed(2)} s of processor time for 20 MB`)
})

t.test('with a token, too, a body is small and shallow', async t => {
  const dataPath = t.testdir({
    profiles: { 'controller.json': '{"id":"controller","ignition_id":"a.ign.njk","boot":{"kernel":"/k"}}' },
    ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
  })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  await server.put('/v1/sites/rack-1', site)
  const [mac] = site.machines[0]?.macs ?? []
  await server.get(`/ipxe?mac=${mac}`)
  const { token } = (await (await server.get(`/ignition?mac=${mac}`)).json()) as { token: string }
  const { port } = new URL(server.agentUrl)
  const ask = async (route: string, body: string) => {
    const socket = await open(Number(port))
    const head = headers(route, body.length, token).replace('\r\n', '\r\nConnection: close\r\n')
    socket.write(head + body)
    return answerOf(socket)
  }
  t.match(await ask('bundle', '['.repeat(150_000) + ']'.repeat(150_000)), / 400 .*more values, or deeper/s)
  t.match(await ask('report', JSON.stringify({ stage: 'booted', log: 'x'.repeat(65_536) })), / 204 /)
  t.match(await ask('report', `{"stage":"booted"${',"a":1'.repeat(300)}}`), / 400 .*more values/s)
  t.match(await ask('enroll', JSON.stringify({ key: 'x'.repeat(20_000) })), / 413 /)
  t.match(await ask('bundle', JSON.stringify({ answer: 'x'.repeat(400_000) })), / 413 /)
  const csrs = Object.fromEntries(
    Array.from({ length: 32 }, (_, at) => [`n${at}`, `${'A'.repeat(63)}\n`.repeat(128)]),
  )
  t.match(await ask('bundle', JSON.stringify({ answer: 'x', csrs })), / (?!413|400)4\d\d /, 'of full size')
})

t.test('an address that shows tokens at random is answered 429, a declared one is not', async t => {
  const settings = { strangers: { agents: { perAddress: { perSecond: 0.01, burst: 5 } } } }
  const server = await testServer(t, settings)
  const ask = async (url = server.agentUrl) => {
    const socket = await open(Number(new URL(url).port))
    socket.write(headers('report', 100))
    return (await answerOf(socket)).slice(9, 12)
  }
  const answers: string[] = []
  for (let at = 0; at < 8; at += 1) answers.push(await ask())
  t.same(answers, ['401', '401', '401', '401', '401', '429', '429', '429'])
  t.match(
    await (await server.get('/metrics')).text(),
    /pilotlight_refused_total\{reason="agent_tokens"\} [1-3]\n/,
  )
  const put = await server.put('/v1/sites/rack-1', { ...site, groups: [] })
  t.equal(put.status, 200, await put.text())
  await server.close()
  moveToThisHost(server.statePath, 'ctl-1')
  const again = await testServer(t, { ...settings, statePath: server.statePath })
  const declared: string[] = []
  for (let at = 0; at < 8; at += 1) declared.push(await ask(again.agentUrl))
  t.same(new Set(declared), new Set(['401']), 'the address of a declared machine')
})
