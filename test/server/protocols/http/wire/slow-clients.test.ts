// Clients that are slow, disconnect, or send anything at all: each costs one connection for a while, and other clients nothing.

import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { SETTINGS } from '#server/config.ts'
import { waitUntil } from '#progress/wait.ts'
import { testAuthority } from '../../../access/authority.ts'
import { testServer } from '../../../serving.ts'

const HASTY = { headersMs: 1000, requestMs: 2000, keepAliveMs: 1000, idleMs: 2000, checkMs: 50 }

/** What a server says before it hangs up. */
async function lastWords(socket: Socket): Promise<string> {
  let said = ''
  socket.on('data', bytes => (said += bytes.toString('latin1')))
  socket.on('error', () => {}) // reset is a way to hang up
  await waitUntil('the server hangs up', { limitSeconds: 15, everyMs: 20 }, async () =>
    socket.closed ? { value: true } : { not: `open, after ${said.length} bytes` },
  )
  return said
}

/** Sends `text`, then a piece every while, for ever. */
async function drip(port: number, text: string, piece: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(text)
  const timer = setInterval(() => socket.write(piece), 50)
  try {
    return await lastWords(socket)
  } finally {
    clearInterval(timer)
  }
}

t.test('a slow client is disconnected, wherever it stops', async t => {
  const server = await testServer(t, { limits: HASTY })
  const port = Number(new URL(server.url).port)
  const silent = connect(port, '127.0.0.1')
  const words = await Promise.all([
    lastWords(silent),
    drip(port, 'GET /healthz HTTP/1.1\r\nHost: x\r\n', 'X-A: b\r\n'),
    drip(
      port,
      'PUT /v1/groups/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n',
      '{',
    ),
    drip(port, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n', ''),
  ])
  t.match(words[1], /^HTTP\/1\.1 408 /, 'headers that never end')
  t.match(words[2], /^HTTP\/1\.1 408 /, 'a body that never ends')
  t.match(words[3], /^HTTP\/1\.1 200 /, 'a connection that was answered, and is kept for nothing')
  t.equal((await server.get('/healthz')).status, 200)
})

t.test('a client that never reads its answer is disconnected', async t => {
  const assets = join(t.testdir(), 'assets')
  mkdirSync(assets)
  writeFileSync(join(assets, 'big'), Buffer.alloc(64 << 20))
  const server = await testServer(t, {
    limits: HASTY,
    assetsPath: assets,
    statePath: join(t.testdirName, 'state'),
  })
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.pause().write('GET /assets/big HTTP/1.1\r\nHost: x\r\n\r\n')
  await waitUntil('the log reports it', { limitSeconds: 15, everyMs: 50 }, async () =>
    server.logged.some(line => line.includes('GET /assets/big'))
      ? { value: true }
      : { not: 'it is being sent' },
  )
  t.pass('it was broken off')
  socket.destroy()
})

t.test('a TLS handshake that is never finished is closed', async t => {
  const server = await testServer(t, { limits: HASTY })
  const socket = connect(Number(new URL(server.agentUrl).port), '127.0.0.1')
  await lastWords(socket)
  t.pass('it hung up')
})

t.test('a server that stops lets an answer under way end, and waits for no other client', async t => {
  const assets = join(t.testdir(), 'assets')
  mkdirSync(assets)
  writeFileSync(join(assets, 'big'), Buffer.alloc(32 << 20))
  const server = await testServer(t, { assetsPath: assets, statePath: join(t.testdirName, 'state') })
  const port = Number(new URL(server.url).port)
  const idle = connect(port, '127.0.0.1')
  const half = connect(port, '127.0.0.1')
  await Promise.all([once(idle, 'connect'), once(half, 'connect')])
  half.write('GET /healthz HTTP/1.1\r\nHost')
  const answer = await fetch(`${server.url}/assets/big`)
  const reader = answer.body!.getReader() // an answer of 200 has one
  await reader.read()
  const closing = server.close()
  await Promise.all([lastWords(idle), lastWords(half)])
  let bytes = 0
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) bytes += piece.value.length
  await closing
  t.ok(bytes > 30 << 20, 'the download was completed')
})

t.test('a server that stops waits no longer than its limit', async t => {
  const assets = join(t.testdir(), 'assets')
  mkdirSync(assets)
  writeFileSync(join(assets, 'big'), Buffer.alloc(64 << 20))
  const server = await testServer(t, {
    assetsPath: assets,
    statePath: join(t.testdirName, 'state'),
    stopSeconds: 0.2,
  })
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  await once(socket, 'connect')
  socket.pause().write('GET /assets/big HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(socket, 'readable')
  await server.close()
  t.pass('it closed')
  socket.destroy()
})

t.test(
  'whatever bytes come, on any listener, the server answers the next client',
  { timeout: 120_000 },
  async t => {
    const { ports, server, certificate } = await allListeners(t)
    const line = fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'POST /v1/tokens HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n',
      'PUT /v1/profiles/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n',
      'GET /ipxe?%zz&mac=%ff;; HTTP/1.1\r\nHost: \r\n\r\n',
      'CONNECT a:1 HTTP/1.1\r\n\r\n',
      'GET /healthz HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00',
    )
    const bytes = fc.uint8Array({ maxLength: 400 })
    const packet = fc.array(fc.oneof(line, bytes), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(packet, fc.constantFrom(...ports), fc.boolean(), async (pieces, port, tls) => {
        const socket = tls
          ? connectTls({
              port,
              host: '127.0.0.1',
              rejectUnauthorized: false,
              ALPNProtocols: ['h2'],
              ...certificate,
            })
          : connect(port, '127.0.0.1')
        socket.on('error', () => {})
        socket.resume()
        for (const piece of pieces) socket.write(piece)
        socket.end()
        await waitUntil('the connection ends', { limitSeconds: 15, everyMs: 5 }, async () =>
          socket.closed ? { value: true } : { not: 'still open' },
        )
      }),
      { numRuns: 300 },
    )
    t.equal((await server.get('/healthz')).status, 200)
    t.notMatch(server.logged.join('\n'), /^error/m)
  },
)

/** A server with every listener that there is, and a client certificate for it. */
async function allListeners(t: Test) {
  const authority = await testAuthority(join(t.testdir(), 'tls'))
  const { certFile, keyFile } = await authority.issue('server')
  const { cert, key } = await authority.issue('client')
  const server = await testServer(t, {
    adminAddress: '127.0.0.1:0',
    rpcAddress: '127.0.0.1:0',
    certFile,
    keyFile,
    caFile: authority.caFile,
    limits: { ...SETTINGS.limits, ...HASTY },
    statePath: join(t.testdirName, 'state'),
  })
  const urls = [server.url, server.agentUrl, server.adminUrl]
  const ports = [...urls.map(url => Number(new URL(url).port)), server.rpcPort]
  return { server, ports, certificate: { cert, key } }
}
