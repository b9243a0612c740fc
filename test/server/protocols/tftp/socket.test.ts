import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { decodeTftp, encodeTftp, type TftpPacket } from '#server/protocols/tftp/packet.ts'
import { openTftp, type TftpEvent, type TftpOptions } from '#server/protocols/tftp/socket.ts'
import { openLossyProxy } from './lossy.ts'

const ADDRESS = '127.0.0.1'
const MEGABYTE = Uint8Array.from({ length: 1_048_576 + 77 }, (_, index) => (index * 31 + (index >> 9)) & 255)
const FILES: Record<string, Uint8Array> = {
  'snponly.efi': MEGABYTE,
  small: MEGABYTE.subarray(0, 100),
  medium: MEGABYTE.subarray(0, 40_000),
  empty: new Uint8Array(),
}

const burning = () => Promise.reject(new Error('disk on fire'))

const absent = (tool: string) =>
  ['/usr/bin', '/bin', '/usr/sbin', '/usr/local/bin'].some(folder => existsSync(join(folder, tool)))
    ? false
    : `${tool} is not installed`

async function serve(t: Test, more: Partial<TftpOptions> = {}) {
  const events: TftpEvent[] = []
  const server = await openTftp({
    address: ADDRESS,
    port: 0,
    files: async name => (FILES[name] === undefined ? undefined : { bytes: FILES[name] }),
    macOf: () => '52:54:00:20:00:01',
    events: { record: event => events.push(event) },
    report: problem => t.comment(problem.message),
    ...more,
  })
  t.teardown(() => server.close())
  return { server, events }
}

const curl = (port: number, file: string, to: string, ...more: string[]) =>
  run('curl', ['-sS', '--max-time', '15', ...more, '-o', to, `tftp://${ADDRESS}:${port}/${file}`], {
    limitSeconds: 60,
  })

/** A client made by hand, for what real ones do not do. */
async function handmade(t: Test, port: number) {
  const socket = createSocket('udp4')
  socket.bind(0, ADDRESS)
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  const heard: { packet: TftpPacket; port: number }[] = []
  socket.on('message', (bytes, from) => heard.push({ packet: decodeTftp(bytes), port: from.port }))
  return {
    say: (packet: TftpPacket, to = port) => socket.send(encodeTftp(packet), to, ADDRESS),
    hears: (count: number) =>
      waitUntil(`${count} packets`, { limitSeconds: 5, everyMs: 5 }, async () =>
        heard.length >= count ? { value: heard } : { not: `${heard.length} came` },
      ),
  }
}

const read = (file: string, options: Record<string, string> = {}, mode = 'octet'): TftpPacket => ({
  kind: 'read',
  file,
  mode,
  options: new Map(Object.entries(options)),
})

t.test('curl reads a file', { skip: absent('curl') }, async t => {
  const { server, events } = await serve(t)
  const to = join(t.testdir(), 'out')
  await curl(server.port, 'snponly.efi', to, '--tftp-blksize', '1432')
  t.ok((await readFile(to)).equals(MEGABYTE))
  t.match(events, [
    {
      kind: 'read',
      mac: '52:54:00:20:00:01',
      detail: { file: 'snponly.efi', blockBytes: 1432, address: ADDRESS },
    },
    { kind: 'sent', detail: { bytes: MEGABYTE.length, resentBlocks: 0 } },
  ])
})

t.test('curl reads small and empty files, and without options', { skip: absent('curl') }, async t => {
  const { server } = await serve(t)
  const to = join(t.testdir(), 'out')
  // curl 7.88 takes a tsize of 0 for an error, so it reads the empty file only without options.
  const rows = [['small'], ['small', '--tftp-no-options'], ['empty', '--tftp-no-options']] as const
  for (const [name, ...more] of rows) {
    await curl(server.port, `/${name}`, to, ...more)
    t.ok((await readFile(to)).equals(FILES[name]!), `${name} ${more.join()}`)
  }
})

t.test('curl gets an error for a file that is not there', { skip: absent('curl') }, async t => {
  const { server, events } = await serve(t)
  await t.rejects(curl(server.port, 'nothing', join(t.testdir(), 'out')), { message: /exit 68/ }) // file not found on server
  t.match(events, [{ kind: 'failed', text: 'nothing is not here' }])
})

t.test('atftp reads a file, in windows and in lockstep', { skip: absent('atftp') }, async t => {
  const { server } = await serve(t)
  const folder = t.testdir()
  for (const options of [
    [],
    ['windowsize 16'],
    ['windowsize 16', 'blksize 1432'],
    ['blksize 1468', 'tsize'],
  ]) {
    const to = join(folder, `out-${options.join('-').replaceAll(' ', '')}`)
    const flags = options.flatMap(option => ['--option', option])
    const args = [...flags, '--get', '-r', 'snponly.efi', '-l', to, ADDRESS, String(server.port)]
    await run('atftp', args, { limitSeconds: 20 })
    t.ok((await readFile(to)).equals(MEGABYTE), options.join() || 'no options')
  }
})

t.test('the tftp package reads a file', async t => {
  const { server } = await serve(t)
  const tftp = createRequire(import.meta.url)('tftp') as {
    createClient(options: object): { get(remote: string, local: string, done: (error?: Error) => void): void }
  }
  const to = join(t.testdir(), 'out')
  await new Promise<void>((resolve, reject) => {
    tftp
      .createClient({ host: ADDRESS, port: server.port, windowSize: 8 })
      .get('snponly.efi', to, error => (error ? reject(error) : resolve()))
  })
  t.ok((await readFile(to)).equals(MEGABYTE))
})

t.test('with every fifth packet lost the file still arrives whole', { timeout: 120_000 }, async t => {
  const { server, events } = await serve(t)
  const folder = t.testdir()
  const clients: Record<string, (port: number, to: string) => Promise<unknown>> = {
    curl: (port, to) => curl(port, 'medium', to, '--tftp-blksize', '1432', '--max-time', '50'),
    atftp: (port, to) => {
      const options = ['--option', 'windowsize 16', '--option', 'blksize 1432']
      const args = [...options, '--get', '-r', 'medium', '-l', to, ADDRESS, String(port)]
      return run('atftp', args, { limitSeconds: 50 })
    },
  }
  for (const [name, get] of Object.entries(clients)) {
    await t.test(name, { skip: absent(name) }, async t => {
      const proxy = await openLossyProxy(server.port, 0.2, 20_261_121)
      t.teardown(() => proxy.close())
      const to = join(folder, name)
      await get(proxy.port, to)
      t.ok((await readFile(to)).equals(FILES['medium']!))
      t.ok(proxy.lost() > 5, `${proxy.lost()} packets were lost`)
      t.comment(JSON.stringify(events.at(-1)?.detail))
    })
  }
})

t.test(
  'many clients at once, more than transfers are allowed, all get their file',
  { skip: absent('curl') },
  async t => {
    const { server } = await serve(t, { transfers: 2 })
    const folder = t.testdir()
    const all = Array.from({ length: 8 }, async (_, index) => {
      const to = join(folder, String(index))
      await curl(server.port, 'snponly.efi', to, '--tftp-blksize', '1468')
      return (await readFile(to)).equals(MEGABYTE)
    })
    t.same(
      await Promise.all(all),
      Array.from({ length: 8 }, () => true),
    )
  },
)

t.test('a request that is repeated before the answer arrives starts no second transfer', async t => {
  const { server, events } = await serve(t)
  const client = await handmade(t, server.port)
  client.say(read('small'))
  client.say(read('small'))
  const [first] = await client.hears(1)
  client.say({ kind: 'ack', block: 1 }, first!.port)
  await waitUntil('the end', { limitSeconds: 5, everyMs: 5 }, async () =>
    events.at(-1)?.kind === 'sent' ? { value: true } : { not: 'not sent' },
  )
  t.same(
    events.map(event => event.kind),
    ['read', 'sent'],
  )
})

t.test('a lost first block is sent again', async t => {
  const { server } = await serve(t)
  const client = await handmade(t, server.port)
  client.say(read('small'))
  const [first, second] = await client.hears(2)
  t.same(second, first)
})

t.test('writing, text mode and bad names are refused with a message', async t => {
  const { server } = await serve(t)
  const rows: [TftpPacket, RegExp][] = [
    [{ kind: 'write', file: 'x', mode: 'octet', options: new Map() }, /only gives files/],
    [read('small', {}, 'netascii'), /use octet/],
    [read('../../etc/shadow'), /not a file name/],
    [read('/etc/shadow'), /no file etc\/shadow/],
  ]
  for (const [packet, words] of rows) {
    const client = await handmade(t, server.port)
    client.say(packet)
    t.match((await client.hears(1))[0]?.packet, { kind: 'error', text: words })
  }
})

t.test('a file that cannot be read is an error to the client and a report to us', async t => {
  const problems: Error[] = []
  const { server, events } = await serve(t, {
    files: burning,
    report: problem => void problems.push(problem),
  })
  const client = await handmade(t, server.port)
  client.say(read('small'))
  t.match((await client.hears(1))[0]?.packet, { kind: 'error', text: /could not read/ })
  t.match(problems, [{ message: 'disk on fire' }])
  t.match(events, [{ kind: 'failed' }])
})

t.test('bytes that are not a packet are counted, and the server goes on', async t => {
  const refused: string[] = []
  const { server } = await serve(t, { refuse: reason => void refused.push(reason) })
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  socket.send('hello', server.port, ADDRESS)
  const client = await handmade(t, server.port)
  client.say(read('small'))
  await client.hears(1)
  t.same(refused, ['tftp_unreadable'])
})

t.test('a port that is taken is an error that says how to fix it', async t => {
  const { server } = await serve(t)
  await t.rejects(serve(t, { port: server.port }), {
    code: 'CANNOT_SERVE_TFTP',
    message: /has it$/,
    remedy: /^stop that one, or: {2}pilotlight serve --no-tftp$/,
  })
})

t.test('an aborted signal closes the server and its transfers', async t => {
  const abort = new AbortController()
  const { server } = await serve(t, { signal: abort.signal })
  const { port } = server
  const client = await handmade(t, port)
  client.say(read('snponly.efi'))
  await client.hears(1)
  abort.abort()
  await serve(t, { port }) // the port is free again
})
