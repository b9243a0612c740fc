// The load of bench/rates.ts: one phase of the boots of many machines, each with its own address on this end of the wire.
// `rates-load.ts JSON`; prints the results as one line of JSON.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { request } from 'node:http'
import { discover, macOf, typeOf } from './strangers-machine.ts'

/** What to ask for. */
export type Phase = {
  readonly server: string
  readonly machines: number
  /** The number of the first one; 0 unless given. */
  readonly firstMachine?: number
  /** The address of machine `n` is this network's, `10.20` and two bytes from here on. */
  readonly firstAddress: number
  /** `dhcp`: one exchange of firmware of each machine. Else a path: `{mac}` is the machine's. */
  readonly ask: string
  /** The requests of all machines come from this address; from the machine's own without it. */
  readonly from?: string
}

/** The results: requests sent, their rate, and how many answers had each status. */
export type Came = {
  readonly asked: number
  readonly perSecond: number
  readonly statuses: Readonly<Record<string, number>>
}

/** How many machines ask at a time. */
const AT_ONCE = 8
/** Milliseconds until a packet is sent again. */
const PATIENCE_MS = 1000

if (import.meta.main) {
  const phase = JSON.parse(process.argv[2] ?? '{}') as Phase
  const began = performance.now()
  const statuses = phase.ask === 'dhcp' ? await exchange(phase) : await get(phase)
  const perSecond = (phase.machines * 1000) / (performance.now() - began)
  console.log(JSON.stringify({ asked: phase.machines, perSecond, statuses } satisfies Came))
  process.exit()
}

/** The address of machine `n`. */
export function addressOf(firstAddress: number, n: number): string {
  const at = firstAddress + n
  return `10.20.${at >> 8}.${at & 255}`
}

async function exchange({ server, machines, firstMachine = 0 }: Phase): Promise<Came['statuses']> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true, recvBufferSize: 1 << 20 })
  socket.bind(68)
  await once(socket, 'listening')
  socket.setBroadcast(true)
  const answered = new Map<string, (bytes: Buffer) => void>()
  socket.on('message', bytes => answered.get(bytes.subarray(28, 34).toString('hex'))?.(bytes))
  const statuses: Record<string, number> = {}
  const ask = (mac: string, packet: Buffer, type: number) =>
    new Promise<Buffer>(resolve => {
      const again = setInterval(() => {
        statuses['again'] = (statuses['again'] ?? 0) + 1
        socket.send(packet, 67, '255.255.255.255')
      }, PATIENCE_MS)
      answered.set(mac.replaceAll(':', ''), bytes => {
        if (typeOf(bytes) !== type) return
        clearInterval(again)
        resolve(bytes)
      })
      socket.send(packet, 67, '255.255.255.255')
    })
  await eachOf(firstMachine, machines, async n => {
    const mac = macOf(n)
    const offer = await ask(mac, discover(mac), 2)
    await ask(mac, discover(mac, [...offer.subarray(16, 20)].join('.'), server), 5)
    statuses['ack'] = (statuses['ack'] ?? 0) + 1
  })
  return statuses
}

async function get({
  server,
  machines,
  firstMachine = 0,
  firstAddress,
  ask,
  from,
}: Phase): Promise<Came['statuses']> {
  const statuses: Record<string, number> = {}
  await eachOf(firstMachine, machines, async n => {
    const status = await new Promise<number>((resolve, reject) => {
      const asking = request({
        host: server,
        port: 8080,
        path: ask.replace('{mac}', macOf(n)),
        localAddress: from ?? addressOf(firstAddress, n),
        agent: false,
        timeout: 30_000,
      })
      asking.on('response', reply => reply.resume().on('end', () => resolve(reply.statusCode ?? 0)))
      asking.on('timeout', () => asking.destroy(new Error(`no answer to ${ask} within 30 s`)))
      asking.on('error', reject)
      asking.end()
    })
    statuses[status] = (statuses[status] ?? 0) + 1
  })
  return statuses
}

/** Does something for each machine, some at a time. */
async function eachOf(first: number, machines: number, one: (n: number) => Promise<void>): Promise<void> {
  let next = first
  const some = async () => {
    while (next < first + machines) await one(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, some))
}
