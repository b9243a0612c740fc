// Recorded DHCP packets through codec and decision (packet.ts, offer.ts), compared with their texts in golden files.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { LeaseTable } from '#server/protocols/dhcp/leases.ts'
import { MachineIndex } from '#server/machines/identity.ts'
import { decide } from '#server/protocols/dhcp/offer.ts'
import { decodePacket, encodePacket, type Packet } from '#server/protocols/dhcp/packet.ts'
import { subnetOf } from '#server/protocols/dhcp/subnet.ts'
import { packetText } from './packet-text.ts'
import { machine, network, SERVER } from './clients.ts'

const folder = join(import.meta.dirname, 'golden')
const names = readdirSync(folder).flatMap(file => (file.endsWith('.hex') ? [file.slice(0, -4)] : []))
const update = process.env['UPDATE_GOLDEN'] === '1'

t.test('every recorded packet reads, and is answered, as its text says', async t => {
  t.ok(names.length > 0)
  for (const name of names) {
    const packet = decodePacket(bytesOf(name))
    const said = packetText(packet) + (packet.op === 'request' ? answersTo(packet) : '')
    const path = join(folder, `${name}.txt`)
    const wanted = existsSync(path) ? readFileSync(path, 'utf8') : ''
    if (update && said !== wanted) {
      writeFileSync(path, said)
      t.fail(`${name}.txt was written anew: read it, then run without UPDATE_GOLDEN`)
    }
    t.equal(said, update ? said : wanted, name)
  }
})

t.test('every recorded packet, written and read again, says the same', async t => {
  for (const name of names) {
    const packet = decodePacket(bytesOf(name))
    t.equal(packetText(decodePacket(encodePacket(packet))), packetText(packet), name)
  }
})

function bytesOf(name: string): Uint8Array {
  return Uint8Array.from(
    Buffer.from(readFileSync(join(folder, `${name}.hex`), 'utf8').replaceAll('\n', ''), 'hex'),
  )
}

function answersTo(packet: Packet): string {
  const world = { server: SERVER, machines: new MachineIndex([machine()]), leases: new LeaseTable(), now: 0 }
  const from = { address: packet.clientAddress, port: 68 }
  return (['full', 'proxy'] as const)
    .map(mode => {
      const subnet = subnetOf(network(mode))
      const { reply, silence } = decide(packet, { service: 'dhcp', from }, { ...world, subnet })
      if (reply === undefined) return `\n${mode}: silence, ${silence}\n`
      return `\n${mode}: to ${reply.to.address}:${reply.to.port}, ${packetText(reply.packet)}`
    })
    .join('')
}
