// Findings 5 and 21: senders that ask too much over HTTP.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { STRANGER_LIMITS } from '#server/limits/http.ts'
import { waitUntil } from '#progress/wait.ts'
import { endChild } from '../end-child.ts'
import { freePort } from '../free-ports.ts'
import { site, testServer, type TestServer } from '../server/serving.ts'

t.setTimeout(120_000) // a busy machine takes its time

const ROOT = join(import.meta.dirname, '../..')

/** An address of this host beside loopback, whose senders are strangers. */
const OUTSIDE = Object.values(networkInterfaces())
  .flat()
  .find(at => at?.family === 'IPv4' && !at.internal)?.address

const skip = OUTSIDE === undefined ? 'needs an IPv4 address beside loopback' : false
const EXPLAIN = 'GET /v1/explain?mac=52:54:00:20:00:01 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'

const portOf = (server: TestServer) => Number(new URL(server.url).port)

/** The lines of the log about explanations, those that were broken off excepted. */
const explained = (server: TestServer) =>
  server.records.filter(
    ({ text, fields }) => text === 'GET /v1/explain' && !('brokenOff' in fields && fields.brokenOff),
  )

async function open(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host, ...(host === '127.0.0.1' ? {} : { localAddress: host }) })
  socket.on('error', () => {}) // reset is a way to refuse
  await once(socket, 'connect')
  return socket
}

async function closes(socket: Socket): Promise<void> {
  socket.resume()
  await waitUntil('the server closes', { limitSeconds: 10, everyMs: 10 }, async () =>
    socket.closed ? { value: true } : { not: 'open' },
  )
}

t.test('answers others between the requests that one connection pipelines', async t => {
  const server = await testServer(t)
  await server.put('/v1/sites/rack-1', site)
  const flood = await open(portOf(server))
  flood.resume().write(EXPLAIN.repeat(30))
  const asked = await open(portOf(server))
  asked.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  const [answer] = (await once(asked, 'data')) as [Buffer]
  t.match(answer.toString('latin1'), /^HTTP\/1\.1 200 /)
  const before = explained(server).length
  t.ok(before < 20, `${before} of 30 were handled before`)
  flood.destroy()
  asked.destroy()
})

t.test('closes a connection that pipelines more than 32 requests', async t => {
  const server = await testServer(t)
  await server.put('/v1/sites/rack-1', site)
  const flood = await open(portOf(server))
  flood.write(EXPLAIN.repeat(1000))
  await closes(flood)
  t.ok(explained(server).length <= 33, `${explained(server).length} were handled`)
  t.match(await (await server.get('/metrics')).text(), /pilotlight_refused_total\{reason="pipelined"\} 1\n/)
  t.match(server.logged.join('\n'), /warn 1 connections closed: too many requests on one connection/)
})

t.test('drops the requests of a connection that is closed', async t => {
  const server = await testServer(t)
  await server.put('/v1/sites/rack-1', site)
  const flood = await open(portOf(server))
  flood.write(EXPLAIN.repeat(30))
  await once(flood, 'data')
  flood.destroy()
  t.equal((await server.get('/healthz')).status, 200)
  const soon = explained(server).length
  for (let ask = 0; ask < 20; ask += 1) await server.get('/healthz')
  t.ok(explained(server).length <= soon + 2, `${soon}, then ${explained(server).length}`)
  t.ok(soon < 30, `${soon} of 30 were handled`)
})

t.test('answers 429 to reads of an address that used up its time', async t => {
  const reads = { ...STRANGER_LIMITS.reads, perAddress: { perSecond: 0.1, burst: 20 } }
  const server = await testServer(t, { strangers: { reads } })
  await server.put('/v1/sites/rack-1', site)
  const explanation = () => server.get('/v1/explain?mac=52:54:00:20:00:01')
  const answers = await Promise.all(Array.from({ length: 100 }, explanation))
  const statuses = new Set(answers.map(({ status }) => status))
  const late = answers.find(({ status }) => status === 429)
  t.match(statuses, new Set([200, 429]))
  t.match(Number(late?.headers.get('retry-after')), /^[1-9]\d*$/)
  t.equal((await server.get('/ignition?mac=52:54:00:20:00:01')).status, 200, 'a boot route')
  const admin = {
    authorization: `Bearer ${readFileSync(join(server.statePath, 'admin.token'), 'utf8').trim()}`,
  }
  t.equal((await server.get('/v1/explain?mac=52:54:00:20:00:01', admin)).status, 200, 'an administrator')
  t.match(await late?.text(), /"TOO_MANY_READS".*Ask again in \d+ s/s)
})

t.test('takes 64 connections of one address, and those of others beside them', { skip }, async t => {
  const server = await testServer(t, { address: '0.0.0.0' })
  const sockets: Socket[] = []
  for (let at = 0; at < 64; at += 1) sockets.push(await open(portOf(server), OUTSIDE))
  await closes(await open(portOf(server), OUTSIDE))
  t.equal((await fetch(`http://127.0.0.1:${portOf(server)}/healthz`)).status, 200, 'another address')
  t.equal(sockets.filter(({ closed }) => closed).length, 0)
  sockets.pop()?.destroy()
  await waitUntil('room for one', { limitSeconds: 5, everyMs: 20 }, async () => {
    const again = await open(portOf(server), OUTSIDE)
    again.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    const [said] = (await Promise.race([once(again, 'data'), once(again, 'close')])) as [unknown]
    return Buffer.isBuffer(said) ? { value: true } : { not: 'closed' }
  })
  for (const socket of sockets) socket.destroy()
})

t.test('keeps answering others when silent connections fill a small ulimit', { skip }, async t => {
  const port = await freePort()
  const state = t.testdir()
  const flags = `--address 0.0.0.0 --http-port ${port} --agent-port 0 --no-dhcp --no-tftp --state-path ${state}`
  const server = spawn('sh', ['-c', `ulimit -n 64; exec ${join(ROOT, 'bin/pilotlight')} serve ${flags}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.teardown(() => endChild(server))
  let log = ''
  server.stderr.on('data', bytes => (log += String(bytes)))
  await waitUntil('the server', { limitSeconds: 20 }, async () =>
    log.includes('"text":"serving"') ? { value: true } : { not: log },
  )
  const silent = await Promise.all(Array.from({ length: 200 }, () => open(port, OUTSIDE)))
  for (let ask = 0; ask < 10; ask += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/ui/`, { headers: { connection: 'close' } })
    t.equal(answer.status, 200)
    await answer.text()
  }
  t.match(log, /"level":"warn","text":"\d+ connections closed/)
  for (const socket of silent) socket.destroy()
})
