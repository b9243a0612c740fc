// Findings 8 and 19: TFTP reads that no one acknowledges, requests in another's name, garbage.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { decodeTftp, encodeTftp } from '#server/protocols/tftp/packet.ts'
import { openTftp, type TftpOptions, type TftpServer } from '#server/protocols/tftp/socket.ts'

t.setTimeout(120_000) // a busy machine takes its time

const FILE = new Uint8Array(100_000)

async function serve(
  t: Test,
  more: Partial<TftpOptions> = {},
): Promise<{ server: TftpServer; refused: string[] }> {
  const refused: string[] = []
  const server = await openTftp({
    address: '127.0.0.1',
    port: 0,
    files: async () => ({ bytes: FILE }),
    events: { record: () => {} },
    report: problem => t.comment(problem.message),
    refuse: reason => void refused.push(reason),
    ...more,
  })
  t.teardown(() => server.close())
  return { server, refused }
}

/** Asks for a file from an address of loopback, and counts the bytes that come back. */
async function ask(
  t: Test,
  server: TftpServer,
  from: string,
): Promise<{ socket: Socket; bytes: () => number }> {
  const socket = createSocket('udp4').bind(0, from)
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  let bytes = 0
  socket.on('message', packet => (bytes += packet.length))
  socket.send(
    encodeTftp({ kind: 'read', file: 'f', mode: 'octet', options: new Map() }),
    server.port,
    '127.0.0.1',
  )
  return { socket, bytes: () => bytes }
}

const answered = (asked: { bytes: () => number }, what: string) =>
  waitUntil(what, { limitSeconds: 3, everyMs: 5 }, async () =>
    asked.bytes() > 0 ? { value: true } : { not: 'no answer' },
  )

t.test('gives another machine its first block at once while one address acknowledges nothing', async t => {
  const { server } = await serve(t, { transfers: 16 })
  const began = performance.now()
  const flood = await Promise.all(Array.from({ length: 100 }, () => ask(t, server, '127.0.0.2')))
  await answered(await ask(t, server, '127.0.0.3'), 'the first block of another')
  const most = 8 * (1 + Math.floor((performance.now() - began) / 250))
  const count = flood.filter(({ bytes }) => bytes() > 0).length
  t.ok(count <= most, `${count} of the flood are answered, ${most} may be: 8 in 250 ms`)
})

t.test('lets the oldest that was never acknowledged give way when every place is taken', async t => {
  const { server, refused } = await serve(t, { transfers: 16 })
  for (let at = 0; at < 16; at += 1) await ask(t, server, `127.0.1.${at + 1}`)
  await answered(await ask(t, server, '127.0.0.3'), 'the first block of another')
  t.same(refused, ['tftp_way'])
})

t.test('drops a transfer that is never acknowledged after seconds, and sent little until then', async t => {
  const { server } = await serve(t, { transfers: 1 })
  const asked = await ask(t, server, '127.0.0.2')
  await new Promise(resolve => setTimeout(resolve, 4500))
  t.equal(asked.bytes(), 3 * 516)
})

t.test('answers no address that is not on one of our networks', async t => {
  const { server, refused } = await serve(t, { isOurs: address => address !== '127.0.0.9' })
  const foreign = await ask(t, server, '127.0.0.9')
  await answered(await ask(t, server, '127.0.0.3'), 'the first block to an address on our network')
  t.equal(foreign.bytes(), 0)
  t.same(refused, ['tftp_foreign'])
})

t.test(
  'takes few of a flood of requests from addresses without a lease, and each of one with a lease',
  async t => {
    const { server, refused } = await serve(t, {
      macOf: address => (address === '127.0.0.3' ? 'm' : undefined),
      unknownClients: { perSecond: 1, burst: 100 },
    })
    const { socket } = await ask(t, server, '127.0.0.2')
    for (let at = 0; at < 300; at += 1) {
      const packet = encodeTftp({ kind: 'read', file: `f${at}`, mode: 'octet', options: new Map() })
      socket.send(packet, server.port, '127.0.0.1')
      if (at % 50 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    await waitUntil('refusals', { limitSeconds: 10 }, async () =>
      refused.includes('tftp_rate') ? { value: true } : { not: 'none yet' },
    )
    await answered(await ask(t, server, '127.0.0.3'), 'the first block of a machine with a lease')
  },
)

const request = (file: string) => encodeTftp({ kind: 'read', file, mode: 'octet', options: new Map() })

t.test('gives a machine its first block while others ask in its name from other ports', async t => {
  const { server } = await serve(t, { macOf: () => 'm' })
  for (let at = 0; at < 40; at += 1) await ask(t, server, '127.0.0.2')
  await answered(await ask(t, server, '127.0.0.2'), 'the first block of the machine')
})

t.test('serves a request that is repeated before many in its name that are not', async t => {
  const { server } = await serve(t, { macOf: () => 'm' })
  for (let at = 0; at < 200; at += 1) await ask(t, server, '127.0.0.2')
  const machine = await ask(t, server, '127.0.0.2')
  machine.socket.send(request('f'), server.port, '127.0.0.1')
  await answered(machine, 'the first block of the machine')
})

t.test('continues a transfer when another asks in its name from its port', async t => {
  const { server } = await serve(t)
  const socket = createSocket('udp4').bind(0, '127.0.0.2')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  const seen: { port: number; block: number }[] = []
  socket.on('message', (bytes, { port }) => {
    const packet = decodeTftp(bytes)
    if (packet.kind === 'data') seen.push({ port, block: packet.block })
  })
  const ack = (port: number, block: number) =>
    socket.send(encodeTftp({ kind: 'ack', block }), port, '127.0.0.1')
  const heard = (what: string, is: (one: { port: number; block: number }) => boolean) =>
    waitUntil(what, { limitSeconds: 3, everyMs: 5 }, async () => {
      const value = seen.find(is)
      return value === undefined ? { not: 'no such block' } : { value }
    })
  socket.send(request('f'), server.port, '127.0.0.1')
  const { port } = await heard('the first block', ({ block }) => block === 1)
  ack(port, 1)
  await heard('the second block', ({ block }) => block === 2)
  socket.send(request('another'), server.port, '127.0.0.1')
  const other = await heard('the first block of the other', one => one.port !== port)
  socket.send(encodeTftp({ kind: 'error', error: 5, text: 'unknown transfer' }), other.port, '127.0.0.1')
  ack(port, 2)
  await heard('the third block', one => one.port === port && one.block === 3)
})

t.test('counts packets that cannot be read, and reports none of them', async t => {
  const problems: Error[] = []
  const { server, refused } = await serve(t, { report: problem => void problems.push(problem) })
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  for (let at = 0; at < 100; at += 1) {
    socket.send(Uint8Array.of(0, 9, at, at, at), server.port, '127.0.0.1')
    socket.send(Uint8Array.of(0, 1, 65), server.port, '127.0.0.1')
  }
  await waitUntil('200 refusals', { limitSeconds: 5, everyMs: 10 }, async () =>
    refused.length === 200 ? { value: true } : { not: `${refused.length}` },
  )
  t.same(new Set(refused), new Set(['tftp_unreadable']))
  t.same(problems, [])
})
