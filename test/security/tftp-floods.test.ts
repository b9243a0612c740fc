// Findings 8 and 19: TFTP reads that nobody acknowledges.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { encodeTftp } from '#server/tftp/packet.ts'
import { openTftp, type TftpOptions, type TftpServer } from '#server/tftp/socket.ts'

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
  const flood = await Promise.all(Array.from({ length: 100 }, () => ask(t, server, '127.0.0.2')))
  await answered(await ask(t, server, '127.0.0.3'), 'the first block of another')
  t.ok(flood.filter(({ bytes }) => bytes() > 0).length <= 8, 'no more than 8 of the flood are answered')
})

t.test('lets the oldest that was never acknowledged give way when every place is taken', async t => {
  const { server, refused } = await serve(t, { transfers: 16 })
  for (let at = 0; at < 16; at += 1) await ask(t, server, `127.0.1.${at + 1}`)
  await answered(await ask(t, server, '127.0.0.3'), 'the first block of another')
  t.same(refused, ['tftp_way'])
})

t.test('drops a transfer that nobody acknowledges after seconds, and sent little until then', async t => {
  const { server } = await serve(t, { transfers: 1 })
  const asked = await ask(t, server, '127.0.0.2')
  await new Promise(resolve => setTimeout(resolve, 4500))
  t.equal(asked.bytes(), 3 * 516)
})

t.test('answers no address that is not on a network of ours', async t => {
  const { server, refused } = await serve(t, { isOurs: address => address !== '127.0.0.9' })
  const foreign = await ask(t, server, '127.0.0.9')
  await answered(await ask(t, server, '127.0.0.3'), 'the first block of one of ours')
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
