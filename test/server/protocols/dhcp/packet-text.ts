// A DHCP packet as text, a line a field: for golden files.

import { latin1, OPTION } from '#server/protocols/dhcp/options.ts'
import { MESSAGE, NOWHERE, type Packet } from '#server/protocols/dhcp/packet.ts'

/** Describes `packet`: the header fields that are set, then every option by name and number, in its order. */
export function packetText(packet: Packet): string {
  const header: [string, string | number][] = [
    ['transaction', `0x${packet.transaction.toString(16).padStart(8, '0')}`],
    ['mac', packet.mac],
    ['hops', packet.hops],
    ['seconds', packet.seconds],
    ['broadcast', packet.broadcast ? 'yes' : ''],
    ['client address', packet.clientAddress],
    ['your address', packet.yourAddress],
    ['next server', packet.nextServer],
    ['relay', packet.relayAddress],
    ['server name', packet.serverName],
    ['boot file', packet.bootFile],
  ]
  const fields = header.filter(([, value]) => value !== '' && value !== 0 && value !== NOWHERE)
  const options = [...packet.options].map(([option, value]) => [
    `${NAMES.get(option) ?? 'option'} (${option})`,
    valueText(option, value),
  ])
  return `${packet.op}\n${[...fields, ...options].map(([name, value]) => `  ${name}: ${value}\n`).join('')}`
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(OPTION).map(([name, option]) => [
    option,
    name.replaceAll(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`),
  ]),
)

const TYPES: ReadonlyMap<number, string> = new Map(
  Object.entries(MESSAGE).map(([name, type]) => [type, name.toUpperCase()]),
)

const ADDRESSES: ReadonlySet<number> = new Set([
  OPTION.subnetMask,
  OPTION.router,
  OPTION.dns,
  OPTION.broadcastAddress,
  OPTION.ntp,
  OPTION.requestedAddress,
  OPTION.serverIdentifier,
])

const NUMBERS: ReadonlySet<number> = new Set([
  OPTION.leaseSeconds,
  OPTION.renewalSeconds,
  OPTION.rebindingSeconds,
  OPTION.maximumSize,
  OPTION.clientArchitecture,
  OPTION.overload,
])

function valueText(option: number, value: Uint8Array): string {
  if (option === OPTION.messageType && value.length === 1) {
    return TYPES.get(value[0]!) ?? String(value[0]) // length 1
  }
  if (option === OPTION.parameterList) return value.join(' ')
  if (ADDRESSES.has(option) && value.length % 4 === 0) {
    return Array.from({ length: value.length / 4 }, (_, at) =>
      value.subarray(at * 4, at * 4 + 4).join('.'),
    ).join(' ')
  }
  if (NUMBERS.has(option)) return String(value.reduce((sum, byte) => sum * 256 + byte, 0))
  if (value.length > 0 && value.every(byte => byte >= 32 && byte < 127)) return JSON.stringify(latin1(value))
  return Array.from(value, byte => byte.toString(16).padStart(2, '0')).join(' ')
}
