// A million requests that no sane client would send, at the whole server as it ships: any method, path, labels,
// headers and bytes, whole and torn, over many connections at once. It must not crash, hang or answer 5xx, and must serve
// a plain request at the end as at the beginning. The seed is printed; given again it makes the same requests.
//
//   node_modules/.bin/node bench/fuzz.ts [REQUESTS] [SEED]

import { randomInt } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sfc32 } from './random.ts'
import type { Random } from './random.ts'
import { serve } from './serve.ts'
import type { Serving } from './serve.ts'

const total = Number(process.argv[2] ?? 1_000_000)
const seed = Number(process.argv[3] ?? randomInt(2 ** 31))
const CONNECTIONS = 32
/** Requests that are sent on a connection, one after the other, if the server does not end it for a bad one. */
const PER_CONNECTION = 500
/** A connection that says nothing for so long, with requests open, counts as hung. */
const HUNG_MS = 20_000

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'BREW', '\u00ff', '']
const PATHS = [
  '/',
  '/boot.ipxe',
  '/ipxe',
  '/grub',
  '/ignition',
  '/generic',
  '/cloud',
  '/metadata',
  '/assets/',
  '/assets/file',
  '/assets/../../etc/passwd',
  '/assets/%2e%2e/%2e%2e/etc/passwd',
  '/profiles',
  '/groups/g1',
  '/machines',
  '/v1/explain',
  '/v1/groups',
  '/v1/groups/g1',
  '/v1/events',
  '/v1/transactions',
  '/v1/openapi.json',
  '/loaders/x',
  '/ui/',
  '/healthz',
  '/metrics',
]
const LABELS = [
  'mac',
  'uuid',
  'serial',
  'hostname',
  'arch',
  'os',
  'x',
  '',
  'wait',
  'after',
  '__proto__',
  'constructor',
]

const folder = mkdtempSync(join(tmpdir(), 'bench-fuzz-'))
const statuses = new Map<string, number>()
let sent = 0
let hung = 0

try {
  const server = await start()
  try {
    process.exitCode = (await attack(server)) ? 0 : 1
  } finally {
    await server.stop()
  }
} finally {
  rmSync(folder, { recursive: true })
}

/** Sends everything, prints the results, and says whether the server survived. */
async function attack(server: Awaited<ReturnType<typeof start>>): Promise<boolean> {
  const before = server.megabytes()
  await plain(server.port)
  const began = performance.now()
  await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, index) => client(server.port, sfc32(seed + index))),
  )
  const seconds = (performance.now() - began) / 1000
  await plain(server.port)
  const bad = [...statuses].filter(
    ([status]) => status.startsWith('5') && status !== '501' && status !== '505',
  )
  console.log(
    `seed ${seed}: ${sent} requests in ${seconds.toFixed(0)} s, ${Math.round(sent / seconds)} a second`,
  )
  console.log(
    `answers: ${[...statuses]
      .toSorted(([one], [other]) => Number(one) - Number(other))
      .map(pair => pair.join(' x '))
      .join(', ')}`,
  )
  console.log(
    `hung connections: ${hung}; server: alive, RSS ${before} MB before, ${server.megabytes()} MB after`,
  )
  console.log(`5xx: ${bad.length === 0 ? 'none' : bad.map(pair => pair.join(' x ')).join(', ')}`)
  return bad.length === 0 && hung === 0
}

/** Sends until all are sent, a new connection whenever one ends. */
async function client(port: number, random: Random): Promise<void> {
  while (sent < total) await connection(port, random)
}

function connection(port: number, random: Random): Promise<void> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    let left = PER_CONNECTION
    const send = () => {
      if (left === 0 || sent >= total) return socket.end()
      left -= 1
      sent += 1
      const { bytes, isTorn } = requestOf(random)
      // What is torn is never whole: the server learns so by the end of the stream.
      return isTorn ? socket.end(bytes) : socket.write(bytes)
    }
    let unseen = ''
    socket.on('connect', send)
    socket.on('data', bytes => {
      unseen += bytes.toString('latin1')
      const matches = [...unseen.matchAll(/HTTP\/1\.1 (\d{3}) /g)]
      for (const [, status = ''] of matches) statuses.set(status, (statuses.get(status) ?? 0) + 1)
      const last = matches.at(-1)
      unseen = unseen.slice(last === undefined ? -16 : Math.max(last.index + 12, unseen.length - 16))
      // After an answer that ends the connection nothing more would be read.
      if (matches.length > 0 && !/connection: close/i.test(bytes.toString('latin1'))) send()
    })
    socket.setTimeout(HUNG_MS, () => {
      hung += 1
      socket.destroy()
    })
    socket.on('error', () => undefined) // the server ends connections that send nonsense
    socket.on('close', () => resolve())
  })
}

/** One request; of a thousand two are cut short, and eighteen have a byte changed. */
function requestOf(random: Random): { bytes: Buffer; isTorn: boolean } {
  const target = `${pick(random, PATHS)}${random() < 0.1 ? text(random, 12) : ''}${query(random)}`
  const body = random() < 0.1 ? text(random, 200) : ''
  const length = random() < 0.95 ? body.length : Math.floor(random() * 300)
  const headers = [
    `Host: ${random() < 0.95 ? 'localhost' : 'bench'}`,
    ...(body === '' ? [] : [`Content-Length: ${length}`]),
    ...(random() < 0.1 ? [`Content-Type: ${pick(random, ['application/json', 'text/plain', 'x', ''])}`] : []),
    ...(random() < 0.1 ? [`Range: bytes=${text(random, 6)}-${Math.floor(random() * 99)}`] : []),
    ...(random() < 0.05 ? [`If-Match: ${text(random, 10)}`] : []),
    ...(random() < 0.02 ? [`${text(random, 8)}: ${text(random, 30)}`] : []),
  ]
  const method = random() < 0.7 ? 'GET' : pick(random, METHODS)
  const bytes = Buffer.from(
    `${method} ${target} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${body}`,
    'latin1',
  )
  const turn = random()
  if (turn < 0.002) return { bytes: bytes.subarray(0, Math.floor(random() * bytes.length)), isTorn: true }
  if (turn > 0.02) return { bytes, isTorn: length > body.length && body !== '' }
  bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
  return { bytes, isTorn: true } // it may ask for more than there is
}

function query(random: Random): string {
  if (random() < 0.2) return ''
  const labels = Array.from({ length: Math.floor(random() * 4) }, () => {
    const value = random() < 0.4 ? `52:54:00:00:00:0${Math.floor(random() * 10)}` : text(random, 20)
    return `${pick(random, LABELS)}=${random() < 0.5 ? encodeURIComponent(value) : value.replaceAll(/[\s#]/g, '+')}`
  })
  return `?${labels.join('&')}`
}

/** Up to `longest` characters, most of them printable, some of any byte. */
function text(random: Random, longest: number): string {
  return Array.from({ length: Math.floor(random() * longest) }, () =>
    String.fromCharCode(random() < 0.9 ? 33 + Math.floor(random() * 94) : Math.floor(random() * 256)),
  ).join('')
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]! // within the list
}

/** An ordinary request must be answered, and soon. */
async function plain(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/metadata?mac=52:54:00:00:00:01`, {
    signal: AbortSignal.timeout(5000),
  })
  const body = await answer.text()
  if (answer.status !== 200 || !body.includes('NAME=node-1'))
    throw new Error(`An ordinary request was answered ${answer.status}: ${body}`)
}

async function start(): Promise<Serving> {
  const data = join(folder, 'data')
  for (const name of ['groups', 'profiles', 'ignition', 'assets'])
    mkdirSync(join(data, name), { recursive: true })
  const write = (path: string, value: object) => writeFileSync(join(data, path), JSON.stringify(value))
  write('profiles/p.json', {
    id: 'p',
    ignition_id: 'a.ign',
    boot: { kernel: '/k', initrd: ['/i'], args: ['a=b'] },
  })
  write('ignition/a.ign', { ignition: { version: '3.3.0' } })
  write('assets/file', { some: 'bytes' })
  for (let n = 0; n < 10; n += 1)
    write(`groups/g${n}.json`, {
      id: `g${n}`,
      profile: 'p',
      selector: { mac: `52:54:00:00:00:0${n}` },
      metadata: { name: `node-${n}` },
    })
  const server = await serve({ state: join(folder, 'state'), data, assets: join(data, 'assets') })
  server.child.once('exit', (status, signal) => {
    if (signal === 'SIGTERM' || status === 0) return
    console.error(`The server ended with ${status ?? signal} after ${sent} requests; seed ${seed}.`)
    process.exit(1)
  })
  return server
}
