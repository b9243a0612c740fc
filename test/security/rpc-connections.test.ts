// Silent connections to the port of gRPC: they count as those of HTTP do.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { testAuthority } from '../server/access/authority.ts'
import { testServer } from '../server/serving.ts'

t.setTimeout(120_000) // a busy machine takes its time

/** An address of this host beside loopback, whose senders are strangers. */
const OUTSIDE = Object.values(networkInterfaces())
  .flat()
  .find(at => at?.family === 'IPv4' && !at.internal)?.address
const skip = OUTSIDE === undefined ? 'needs an IPv4 address beside loopback' : false

t.test('takes 64 connections of one address on all ports together', { skip }, async t => {
  const folder = t.testdir()
  const authority = await testAuthority(join(folder, 'tls'))
  const { certFile, keyFile } = await authority.issue('server')
  const server = await testServer(t, {
    address: '0.0.0.0',
    statePath: join(folder, 'state'),
    rpcAddress: '0.0.0.0:0',
    certFile,
    keyFile,
    caFile: authority.caFile,
    limits: { headersMs: 60_000, requestMs: 60_000, keepAliveMs: 60_000, idleMs: 60_000, checkMs: 1000 },
  })
  const sockets: Socket[] = []
  t.teardown(() => sockets.forEach(socket => socket.destroy()))
  const open = async (port: number) => {
    const socket = connect({ port, host: OUTSIDE ?? '', localAddress: OUTSIDE ?? '' })
    socket.on('error', () => {}).resume()
    await Promise.race([once(socket, 'connect'), once(socket, 'close')])
    sockets.push(socket)
  }
  for (let at = 0; at < 100; at += 1) await open(server.rpcPort)
  const left = () => sockets.filter(({ closed }) => !closed).length
  await waitUntil('64 are left', { limitSeconds: 10, everyMs: 50 }, async () =>
    left() === 64 ? { value: true } : { not: `${left()} are open` },
  )
  await open(Number(new URL(server.url).port))
  await waitUntil('HTTP counts them', { limitSeconds: 10, everyMs: 50 }, async () =>
    sockets.at(-1)?.closed ? { value: true } : { not: 'a connection to HTTP is open' },
  )
  const metrics = await (await server.get('/metrics')).text()
  t.match(metrics, /pilotlight_refused_total\{reason="connections_address"\} \d+\n/)
  sockets.forEach(socket => socket.destroy())
})
