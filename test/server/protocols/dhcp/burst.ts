// Many clients at once, run inside a network namespace: `burst.ts COUNT PID` broadcasts so many requests for addresses
// from 10.20.0.100 on, each with its own hardware address, while the server PID is stopped, so that it finds them
// all at once; it ends when all are acknowledged.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { addresses, OPTION } from '#server/protocols/dhcp/options.ts'
import { decodePacket, encodePacket, MESSAGE, messageTypeOf } from '#server/protocols/dhcp/packet.ts'
import { but, discover } from './clients.ts'

const count = Number(process.argv[2])
const server = Number(process.argv[3])
const socket = createSocket({ type: 'udp4', reuseAddr: true })
socket.bind(68)
await once(socket, 'listening')
socket.setBroadcast(true)

const missing = new Set<string>()
socket.on('message', bytes => {
  const packet = decodePacket(bytes)
  if (messageTypeOf(packet) === MESSAGE.ack) missing.delete(packet.mac)
  if (missing.size === 0) process.exit()
})
process.kill(server, 'SIGSTOP')
const sent: Promise<void>[] = []
for (let index = 0; index < count; index += 1) {
  const mac = `52:54:00:33:00:${index.toString(16).padStart(2, '0')}`
  missing.add(mac)
  const wanted = new Map([[OPTION.requestedAddress, addresses(`10.20.0.${100 + index}`)]])
  const request = but(discover.plain, MESSAGE.request, { mac, transaction: index }, wanted)
  sent.push(
    new Promise(resolve => socket.send(encodePacket(request), 67, '255.255.255.255', () => resolve())),
  )
}
await Promise.all(sent)
process.kill(server, 'SIGCONT')
setTimeout(() => {
  process.stderr.write(`${missing.size} of ${count} were not acknowledged\n`, () => process.exit(1))
}, 10_000)
