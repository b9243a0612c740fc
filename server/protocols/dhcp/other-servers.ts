// Other DHCP servers on the wire, as values: the DISCOVER that makes them answer, what an answer says of its server, and whose
// offer a client took (RFC 2131 §4.3, §4.4.1).

import { addresses, addressIn, OPTION, text, textIn } from './options.ts'
import { decodePacket, encodePacket, MESSAGE, messageTypeOf, NOWHERE } from './packet.ts'

/** An answer of a DHCP server to a client. Texts are as the server sent them, and may hold anything. */
export type DhcpAnswer = {
  readonly kind: 'offer' | 'ack' | 'nak'
  /** The hardware address of the client that it answers. */
  readonly mac: string
  readonly transaction: number
  /** Its server identifier (option 54), else where the packet came from. */
  readonly server: string
  /** The address that it gives; undefined where it gives none, as a proxy. */
  readonly address?: string
  readonly router?: string
  /** Where the boot file is fetched. */
  readonly nextServer?: string
  readonly bootFile?: string
}

/**
 * A DISCOVER as the firmware of a UEFI machine sends it (PXE 2.1 §2.2), so that proxies and boot servers answer as well. The answers
 * are broadcast: the client has no address.
 *
 * @param mac a locally administered one that no machine has
 */
export function probePacket(mac: string, transaction: number): Uint8Array {
  return encodePacket({
    op: 'request',
    hardwareType: 1,
    hops: 0,
    transaction,
    seconds: 0,
    broadcast: true,
    clientAddress: NOWHERE,
    yourAddress: NOWHERE,
    nextServer: NOWHERE,
    relayAddress: NOWHERE,
    mac,
    serverName: '',
    bootFile: '',
    options: new Map([
      [OPTION.messageType, Uint8Array.of(MESSAGE.discover)],
      [OPTION.maximumSize, Uint8Array.of(5, 192)], // 1472 bytes
      [OPTION.parameterList, Uint8Array.of(1, 3, 6, 15, 43, 51, 54, 60, 66, 67)],
      [OPTION.clientArchitecture, Uint8Array.of(0, 7)],
      [OPTION.clientInterface, Uint8Array.of(1, 3, 0)],
      [OPTION.vendorClass, text('PXEClient:Arch:00007:UNDI:003000')],
    ]),
  })
}

/** The answer in a packet that arrived at port 68 from `from`; undefined when it is none that can be read. */
export function answerIn(bytes: Uint8Array, from: string): DhcpAnswer | undefined {
  if (bytes.length > LONGEST || bytes[0] !== 2) return undefined
  let packet
  try {
    packet = decodePacket(bytes)
  } catch {
    return undefined // not DHCP, or cut short
  }
  const kind = KINDS.get(messageTypeOf(packet) ?? 0)
  if (kind === undefined || packet.hardwareType !== 1 || packet.mac.length !== 17) return undefined
  const { mac, transaction, yourAddress, nextServer, options } = packet
  const server = addressIn(options, OPTION.serverIdentifier) ?? from
  const router = options.get(OPTION.router)?.subarray(0, 4)
  const named = textIn(options, OPTION.tftpServerName)
  const next = nextServer !== NOWHERE ? nextServer : named
  const bootFile = (textIn(options, OPTION.bootFile) || packet.bootFile).slice(0, 256)
  return {
    kind,
    mac,
    transaction,
    server,
    ...(yourAddress === NOWHERE ? {} : { address: yourAddress }),
    ...(router?.length === 4 ? { router: router.join('.') } : {}),
    ...(next === undefined || next === '' ? {} : { nextServer: next.slice(0, 64) }),
    ...(bootFile === '' ? {} : { bootFile }),
  }
}

/** The largest UDP packet on Ethernet: nothing that is longer is an answer to our probe. */
const LONGEST = 1500

const KINDS: ReadonlyMap<number, DhcpAnswer['kind']> = new Map([
  [MESSAGE.offer, 'offer'],
  [MESSAGE.ack, 'ack'],
  [MESSAGE.nak, 'nak'],
])

/** The options of a server identifier as bytes: a quick look whether a packet is of the server at `address`. */
export function identifierBytes(address: string): Uint8Array {
  return Uint8Array.of(OPTION.serverIdentifier, 4, ...addresses(address))
}
