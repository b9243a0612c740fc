// A declared machine's requests among those of many strangers.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import t, { type Test } from 'tap'
import { STRANGER_LIMITS } from '#server/limits/http.ts'
import { site, testServer, type TestServer } from '../server/serving.ts'

t.setTimeout(120_000) // a busy machine takes its time

/** An address of this host beside loopback, whose senders are strangers. */
const OUTSIDE = Object.values(networkInterfaces())
  .flat()
  .find(at => at?.family === 'IPv4' && !at.internal)?.address
const skip = OUTSIDE === undefined ? 'needs an IPv4 address beside loopback' : false
const REQUEST = 'GET /ipxe?x=1 HTTP/1.1\r\nHost: x\r\n\r\n'
/** So many addresses ask at once. */
const STRANGERS = 100

/** A server that handles one request in a turn, and has a declared machine at an address. */
async function served(t: Test, address: string): Promise<TestServer> {
  const inAll = { perSecond: 0.01, burst: 1 }
  const turns = { ...STRANGER_LIMITS.turns, requestsATurn: 1, inAll, longestWaitMs: 100 }
  const server = await testServer(t, { address: '0.0.0.0', strangers: { turns } })
  // By itself, and not with a site: a site that gives this host's own address to a machine is refused.
  const { name, ...machine } = site.machines[0]!
  t.equal((await server.put(`/v1/machines/${name}`, { ...machine, address }, server.admin)).status, 201)
  return server
}

async function open(t: Test, server: TestServer, localAddress: string): Promise<Socket> {
  const { port } = new URL(server.url)
  const host = localAddress.startsWith('127.') ? '127.0.0.1' : localAddress
  const socket = connect({ port: Number(port), host, localAddress })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** Has strangers ask, each from its own address, and gives who was answered, in order; `last` asks after them. */
async function answered(t: Test, server: TestServer, last: string): Promise<string[]> {
  const addresses = Array.from({ length: STRANGERS }, (_, at) => `127.1.0.${at + 1}`)
  const sockets = await Promise.all([...addresses, last].map(address => open(t, server, address)))
  // Connections are accepted one in a turn: each has asked once before all ask at the same time.
  for (const socket of sockets) {
    socket.write(REQUEST)
    await once(socket, 'data')
  }
  const order: string[] = []
  const all = sockets.map(async socket => {
    await once(socket, 'data')
    order.push(socket.localAddress ?? '')
  })
  for (const socket of sockets) socket.write(REQUEST)
  await Promise.all(all)
  return order
}

t.test('a declared machine is answered before strangers who asked earlier', async t => {
  const machine = '127.0.0.77'
  const order = await answered(t, await served(t, machine), machine)
  const before = order.indexOf(machine)
  t.ok(before < STRANGERS / 2, `${before} of ${STRANGERS} were answered before it`)
  const other = await answered(t, await served(t, '127.0.0.78'), machine)
  const behind = other.indexOf(machine)
  t.ok(behind > STRANGERS / 2, `${behind} were answered before it where it is not declared`)
})

t.test('what all strangers used up holds back no declared machine', { skip }, async t => {
  for (const isDeclared of [true, false]) {
    const server = await served(t, isDeclared ? (OUTSIDE ?? '') : '10.20.0.11')
    await answered(t, server, '127.0.0.77') // there is more to do than one turn takes, and it counts for a second
    const statuses: string[] = []
    for (let at = 0; at < 4; at += 1) {
      const socket = await open(t, server, OUTSIDE ?? '')
      socket.write(REQUEST)
      const [said] = (await once(socket, 'data')) as [Buffer]
      statuses.push(said.toString('latin1', 9, 12))
    }
    if (isDeclared) t.notOk(statuses.includes('429'), `${statuses.join(' ')} for a machine`)
    else t.ok(statuses.includes('429'), `${statuses.join(' ')} for a stranger`)
  }
})
