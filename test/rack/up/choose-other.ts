// A DHCP client that takes the offer of another server: sends one REQUEST that names it. `choose-other.ts MAC SERVER`.

import { createSocket } from 'node:dgram'
import { addresses, OPTION } from '#server/protocols/dhcp/options.ts'
import { probePacket } from '#server/protocols/dhcp/other-servers.ts'
import { decodePacket, encodePacket, MESSAGE } from '#server/protocols/dhcp/packet.ts'

const [mac = '', server = ''] = process.argv.slice(2)
const packet = encodePacket({
  ...decodePacket(probePacket(mac, 7)),
  options: new Map([
    [OPTION.messageType, Uint8Array.of(MESSAGE.request)],
    [OPTION.serverIdentifier, addresses(server)],
    [OPTION.requestedAddress, addresses('10.20.0.50')],
  ]),
})
const socket = createSocket('udp4')
socket.bind(68, () => {
  socket.setBroadcast(true)
  socket.send(packet, 67, '255.255.255.255', () => socket.close())
})
